"""What the driver does on a cluster: it submits tasks, and waits for them with a progress bar and signals."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from absl import logging
from tqdm import tqdm

from nst_jax.cluster.inbox import Inbox
from nst_jax.cluster.joining import alive_nodes, pinned_to, this_node, whole_machine
from nst_jax.errors import UserError
from nst_jax.terminal.signals import StopSignal

RETRIES = 10  # of a task whose worker has died
POLL_SECONDS = 0.5  # how soon a signal is noticed, and the bar moves


class Driver:
    """Submits tasks, whose files and steps arrive in one inbox, and waits for them."""

    def __init__(self, folder: Path):
        """Receive the files of the tasks in `folder`."""
        self.inbox = self.actor(Inbox, str(folder.absolute()))
        # Of the tasks that have not ended, by reference to the result: what `submit` was given.
        self._tasks: dict[Any, tuple[Callable[[Any], None], str, str]] = {}

    def actor(self, kind: type, *arguments: Any) -> Any:
        """Return the handle of a `kind` that lives on this machine."""
        import ray

        return ray.remote(kind).options(**pinned_to(this_node())).remote(*arguments)

    def submit(
        self, task: Callable[..., Any], *arguments: Any, then: Callable[[Any], None], where: str, died: str
    ) -> None:
        """Call `task` on some worker; if that dies, on another one. `then` receives the result.

        Messages say `where` it failed, or that its workers `died` too often.
        """
        import ray

        remote: Any = ray.remote(task).options(max_retries=RETRIES, **whole_machine())
        self._tasks[remote.remote(*arguments)] = then, where, died

    def wait(self, stop: StopSignal, bar: tqdm) -> None:
        """Wait for all tasks, which end early once `stop` has received a signal; move `bar` by their steps.

        Raises:
            UserError: a task failed, after the others have ended.
        """
        import ray

        failures: list[UserError] = []
        stopping = False
        while self._tasks:
            ready, _ = ray.wait(list(self._tasks), timeout=POLL_SECONDS)
            for reference in ready:
                try:
                    _collect(reference, *self._tasks.pop(reference))
                except UserError as failure:
                    logging.warning("%s", failure)
                    failures.append(failure)
            # Once: an attempt hears of it with its next message, and ends with its pictures saved.
            if stop.requested and not stopping:
                ray.get(self.inbox.stop.remote())
                stopping = True
            bar.set_postfix_str(f"{len(alive_nodes())} machines", refresh=False)
            bar.update(bar.initial + sum(ray.get(self.inbox.steps.remote()).values()) - bar.n)
        if failures:
            raise failures[0]


def _collect(reference: Any, then: Callable[[Any], None], where: str, died: str) -> None:
    """Pass on the result of a task; what failed in it is raised as a `UserError` if the user can mend it."""
    import ray

    try:
        result = ray.get(reference)
    except ray.exceptions.RayTaskError as error:
        if not isinstance(error.cause, UserError):
            raise
        raise error.cause.prefixed(where) from error
    except ray.exceptions.RayError as error:
        raise UserError(f"{died}: {error}") from error
    then(result)
