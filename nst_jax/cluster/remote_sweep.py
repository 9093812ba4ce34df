"""Running of a sweep on a cluster, with a progress bar and signals."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from absl import logging
from tqdm import tqdm

from nst_jax.cluster.inbox import Inbox
from nst_jax.cluster.joining import alive_nodes, on_cluster, pinned_to, this_node, whole_machine
from nst_jax.cluster.painting_task import paint_task
from nst_jax.errors import UserError
from nst_jax.runs.progress import duration
from nst_jax.sweeps.groups import BatchOutcome, check_folders, group_task, prepare_jobs
from nst_jax.sweeps.sweep_folder import Sweep
from nst_jax.terminal.signals import StopSignal
from nst_jax.transfer.grouping import group
from nst_jax.transfer.job import Job

BATCH = 4  # runs of a task, which a worker paints together
RETRIES = 10  # of a task whose worker has died
POLL_SECONDS = 0.5


def run_remotely(sweep: Sweep, address: str, batch: int | None, stop: StopSignal) -> bool:
    """Paint the unfinished runs on the cluster at `address`; return False if `stop` received a signal.

    `batch` runs with one program, or four, are a task. If its worker dies, another one continues from the
    last checkpoint. Results are those of a single machine with the same `batch`, up to the rounding of its
    processor.

    Raises:
        UserError: see `on_cluster` and `prepare_jobs`; or runs failed, after the others were painted.
    """
    unfinished = {run.folder for run in sweep.unfinished()}
    if not unfinished:
        return True
    configs = {run.folder: run.config for run in sweep.runs}
    jobs = prepare_jobs(configs, sweep.path)
    check_folders(configs, jobs, sweep.path)
    folders, width = list(jobs), batch or BATCH
    groups = [[folders[index] for index in members] for members in group(list(jobs.values()))]
    entries = sweep.enter_groups([(members, width, 1) for members in groups])
    with on_cluster(address), stop:
        sweep.save()
        driver = _Driver(sweep, {folder: sum(configs[folder].steps_by_scale()) for folder in configs})
        for members, entry in zip(groups, entries, strict=True):
            shared = driver.share({folder: jobs[folder] for folder in members})
            for start in range(0, len(members), width):
                runs = members[start : start + width]
                if not unfinished.isdisjoint(runs):
                    task = group_task({folder: configs[folder] for folder in runs}, width)
                    driver.submit(task, shared, entry)
        return driver.wait(stop)


class _Submitted(NamedTuple):
    """A task that has not ended."""

    runs: list[str]
    entry: dict[str, Any]  # of their group in sweep.json


class _Driver:
    """Submits tasks and waits for them."""

    def __init__(self, sweep: Sweep, steps: Mapping[str, int]):
        """`steps` are the numbers of steps by run."""
        import ray

        self.sweep, self.steps = sweep, steps
        self.tasks: dict[Any, _Submitted] = {}  # by reference to the result
        self.failures: list[UserError] = []
        here = pinned_to(this_node())
        self.inbox: Any = ray.remote(Inbox).options(**here).remote(str(sweep.path.absolute()))
        self.paint: Any = ray.remote(paint_task).options(max_retries=RETRIES, **whole_machine())

    def share(self, jobs: dict[str, Job]) -> Any:
        """Return a reference to `jobs`, which travel to each worker once."""
        import ray

        return ray.put(jobs)

    def submit(self, task: Mapping[str, Any], jobs: Any, entry: dict[str, Any]) -> None:
        """Submit a task of a group; `jobs` refers to the group's, `entry` is its entry in sweep.json."""
        name = next(iter(task["runs"]))
        reference = self.paint.remote(name, task, jobs, self.inbox)
        self.tasks[reference] = _Submitted(list(task["runs"]), entry)

    def wait(self, stop: StopSignal) -> bool:
        """Wait for all tasks; return False if `stop` received a signal.

        Raises:
            UserError: a task failed, after the others have ended.
        """
        import ray

        total = sum(self.steps[run] for task in self.tasks.values() for run in task.runs)
        told = False
        with tqdm(total=total, unit="step", dynamic_ncols=True) as bar:
            while self.tasks:
                ready, _ = ray.wait(list(self.tasks), timeout=POLL_SECONDS)
                for reference in ready:
                    self._collect(reference, bar)
                if stop.requested and not told:
                    ray.get(self.inbox.stop.remote())
                    told = True
                bar.set_postfix_str(f"{len(alive_nodes())} machines", refresh=False)
                bar.update(sum(ray.get(self.inbox.steps.remote()).values()) - bar.n)
        if self.failures:
            raise self.failures[0]
        return not stop.requested

    def _collect(self, reference: Any, bar: tqdm) -> None:
        import ray

        runs, entry = self.tasks.pop(reference)
        try:
            outcomes: list[BatchOutcome] = ray.get(reference)
        except ray.exceptions.RayTaskError as error:
            if not isinstance(error.cause, UserError):
                raise
            self.failures.append(error.cause.prefixed(f"in run {runs[0]}"))
            logging.warning("%s", self.failures[-1])
            return
        except ray.exceptions.RayError as error:  # its workers died too often
            self.failures.append(UserError(f"--cluster: the workers of {', '.join(runs)} died: {error}"))
            logging.warning("%s", self.failures[-1])
            return
        for outcome in outcomes:
            entry["compilations"] += outcome.compilations
            for folder, status in zip(outcome.folders, outcome.statuses, strict=True):
                if status == "diverged":
                    logging.warning("%s: the loss is not finite; saved its best image", folder)
                if status == "stalled":
                    logging.warning("%s: no step lowers the loss; saved the initial picture", folder)
            tqdm.write(
                f"{len(outcome.folders)} painted in {duration(outcome.seconds)}: {', '.join(outcome.folders)}"
            )
        self.sweep.save()
