"""What a worker does: it paints one group of runs, and sends their files home as they change."""

from collections.abc import Mapping, Sequence
from typing import Any

from nst_jax import cli
from nst_jax.cluster.inbox import Outbox, attempted
from nst_jax.optimizers.loop import Look
from nst_jax.sweeps.groups import BatchOutcome, paint_group
from nst_jax.transfer.job import Job


def paint_task(name: str, task: Mapping[str, Any], jobs: Mapping[str, Job], inbox: Any) -> list[BatchOutcome]:
    """Paint the unfinished runs of a `group_task` in a temporary folder; return the outcomes.

    `jobs` may hold those of other runs as well. `inbox` is the handle of a remote `Inbox`, from which an
    earlier attempt is continued.

    Raises:
        UserError: a run cannot be painted here, for instance because the disk of this machine is full.
    """
    cli.use_compilation_cache()
    outcomes: list[BatchOutcome] = []
    with attempted(inbox, name, task["runs"]) as attempt:
        if attempt is None:
            return []
        path, send = attempt
        outbox, finished = Outbox(path), 0

        def watch(folders: Sequence[str], look: Look) -> bool:
            return send(outbox.take(), finished + int(look.step.sum()))

        for outcome in paint_group(task, path, watch, jobs={run: jobs[run] for run in task["runs"]}):
            outcomes.append(outcome)
            finished += sum(outcome.steps)
            send(outbox.take(), finished)
    return outcomes
