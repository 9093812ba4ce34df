"""Running of a sweep on a cluster: batches of runs are tasks."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from absl import flags
from tqdm import tqdm

from nst_jax.cluster.driving import Driver
from nst_jax.cluster.joining import on_cluster
from nst_jax.cluster.painting_task import paint_task
from nst_jax.config.stages import total_steps
from nst_jax.sweeps.groups import BatchOutcome, group_task
from nst_jax.sweeps.running import painted_text, prepared_groups, run_sweep, warn_of_endings
from nst_jax.sweeps.sweep_folder import Sweep
from nst_jax.terminal.signals import StopSignal

BATCH = 4  # runs of a task, which a worker paints together


def define_batch(values: flags.FlagValues) -> None:
    """Define the flag --batch of the commands that paint sweeps."""
    together = (
        "runs painted together; default: one on a CPU, four on a cluster, else as many as fit in memory"
    )
    flags.DEFINE_integer("batch", None, together, 1, flag_values=values)


def paint_sweep(sweep: Sweep, cluster: str | None, batch: int | None, stop: StopSignal) -> bool:
    """Paint the unfinished runs on the `cluster` at an address, or on this machine; see both functions."""
    return run_sweep(sweep, batch, stop) if cluster is None else run_remotely(sweep, cluster, batch, stop)


def run_remotely(sweep: Sweep, address: str, batch: int | None, stop: StopSignal) -> bool:
    """Paint the unfinished runs on the cluster at `address`; return False if `stop` received a signal.

    `batch` runs with one program, or four, are a task. If its worker dies, another one continues from the
    last checkpoint. Results are those of a single machine with the same `batch`, up to the rounding of its
    processor.

    Raises:
        UserError: see `on_cluster` and `prepared_groups`; or runs failed, after the others were painted.
    """
    unfinished = {run.folder for run in sweep.unfinished()}
    if not unfinished:
        return True
    (configs, jobs, groups), width = prepared_groups(sweep), batch or BATCH
    entries = sweep.enter_groups([(members, width, 1) for members in groups])
    with on_cluster(address), stop:
        import ray

        sweep.save()
        driver, steps = Driver(sweep.path), 0
        for members, entry in zip(groups, entries, strict=True):
            shared = ray.put({folder: jobs[folder] for folder in members})  # travels to each worker once
            for start in range(0, len(members), width):
                runs = members[start : start + width]
                if unfinished.isdisjoint(runs):
                    continue
                task = group_task({folder: configs[folder] for folder in runs}, width)
                died = f"--cluster: the workers of {', '.join(runs)} died"
                then, where = partial(_collect, sweep, entry), f"in run {runs[0]}"
                arguments = runs[0], task, shared, driver.inbox
                driver.submit(paint_task, *arguments, then=then, where=where, died=died)
                steps += sum(total_steps(configs[folder]) for folder in runs)
        with tqdm(total=steps, unit="step", dynamic_ncols=True) as bar:
            driver.wait(stop, bar)
    return not stop.requested


def _collect(sweep: Sweep, entry: dict[str, Any], outcomes: Sequence[BatchOutcome]) -> None:
    """Report the outcomes of a task; `entry` is that of its group in sweep.json."""
    entry["compilations"] += outcomes[-1].compilations if outcomes else 0  # the last one counts them all
    for outcome in outcomes:
        warn_of_endings(outcome)
        tqdm.write(painted_text(outcome))
    sweep.save()
