"""Running of a sweep on this machine, group by group, with a progress bar and signals."""

from collections.abc import Mapping, Sequence

from absl import logging
from tqdm import tqdm

from nst_jax.config import Config
from nst_jax.methods.estimate import require_lanes
from nst_jax.methods.speed import predicted_seconds, work_of
from nst_jax.methods.transfers import open_session
from nst_jax.optimizers.loop import Look
from nst_jax.runs.progress import BAR, Work, duration, roughly, stage_text
from nst_jax.sweeps.groups import BatchOutcome, check_folders, group_task, paint_group, prepare_jobs
from nst_jax.sweeps.sweep_folder import Sweep
from nst_jax.terminal.signals import StopSignal
from nst_jax.transfer.fitting import inputs_of_files
from nst_jax.transfer.grouping import group
from nst_jax.transfer.job import Job
from nst_jax.transfer.room import require_room
from nst_jax.transfer.stage_session import StageSession
from nst_jax.transfer.styles import field_named


def run_sweep(sweep: Sweep, batch: int | None = None, stop: StopSignal | None = None) -> bool:
    """Paint the unfinished runs, up to `batch` together; return False if `stop` received a signal.

    Without `batch`, a resumed sweep uses the same as before, so that its results are the same bit for bit.

    Raises:
        UserError: a run cannot be prepared or does not fit into memory, in which case nothing has been
            written, or a folder cannot be written.
    """
    unfinished = {run.folder: run.config for run in sweep.unfinished()}
    if not unfinished:
        return True
    require_room_here(sweep)
    configs, jobs, every_group = prepared_groups(sweep)
    wanted = [members for members in every_group if not unfinished.keys().isdisjoint(members)]
    groups = [(members, group_session(sweep, jobs, members, batch)) for members in wanted]
    entries = sweep.enter_groups(
        [(members, session.width, session.lanes.mesh.size) for members, session in groups]
    )
    sweep.save()
    seconds = [predicted_seconds(jobs[folder]) for folder in unfinished]
    if None not in seconds:
        tqdm.write(f"estimate: {roughly(sum(filter(None, seconds)))} for {len(seconds)} runs")
    works = {folder: work_of(job) for folder, job in jobs.items()}
    total = sum(works[folder].total for folder in unfinished)
    with stop or StopSignal() as stop, tqdm(total=total, bar_format=BAR, dynamic_ncols=True) as bar:
        display = Display(bar, stop, works)
        for (members, session), entry in zip(groups, entries, strict=True):
            compiled = entry["compilations"]
            task = group_task({folder: configs[folder] for folder in members}, session.width)
            group_jobs = {folder: jobs[folder] for folder in members}
            for outcome in paint_group(task, sweep.path, display.watch, session, group_jobs):
                entry["compilations"] = compiled + outcome.compilations
                sweep.save()
                display.report(outcome)
            if stop.requested:
                return False
    return True


def require_room_here(sweep: Sweep) -> None:
    """Check, before anything is read, that no unfinished run is far too large for this machine.

    Raises:
        UserError: one is; the message names it.
    """
    for run in sweep.unfinished():
        with field_named(f"in run {run.folder}"):
            require_room(run.config, list(inputs_of_files(run.config)))


def group_session(
    sweep: Sweep, jobs: Mapping[str, Job], members: list[str], batch: int | None
) -> StageSession:
    """Return a session for the runs of a group, all lanes of which fit into memory.

    Raises:
        UserError: they do not fit.
    """
    session = open_session([jobs[folder] for folder in members], batch or sweep.batch_of(members))
    require_lanes(session, jobs[members[0]])
    return session


def prepared_groups(sweep: Sweep) -> tuple[dict[str, Config], dict[str, Job], list[list[str]]]:
    """Return the configs and jobs of all runs by folder, and the folders in groups that share a program.

    Raises:
        UserError: see `prepare_jobs` and `check_folders`.
    """
    configs = {run.folder: run.config for run in sweep.runs}
    jobs = prepare_jobs(configs, sweep.path)
    check_folders(configs, jobs, sweep.path)
    folders = list(jobs)
    return configs, jobs, [[folders[index] for index in members] for members in group(list(jobs.values()))]


class Display:
    """A progress bar over all runs of a sweep."""

    def __init__(self, bar: tqdm, stop: StopSignal, works: Mapping[str, Work]):
        """`works` maps the folder of each run to its work."""
        self.bar, self.stop, self.works = bar, stop, works
        self.finished = 0.0  # work of the runs that have ended

    def watch(self, folders: Sequence[str], look: Look) -> bool:
        """Show the progress of the runs; return False after a signal."""
        works, steps = [self.works[folder] for folder in folders], look.step.tolist()
        self.bar.set_postfix_str(
            f"{stage_text(works[0], max(steps))}, {', '.join(folders)}"[:80], refresh=False
        )
        done = sum(work.done(step) for work, step in zip(works, steps, strict=True))
        self.bar.update(self.finished + done - self.bar.n)
        return not self.stop.requested

    def report(self, outcome: BatchOutcome) -> None:
        """Print the outcome of a batch of runs."""
        warn_of_endings(outcome)
        if self.stop.requested:
            return
        # Runs that ended early, by stalling or diverging, count as complete.
        self.finished += sum(self.works[folder].total for folder in outcome.folders)
        self.bar.update(self.finished - self.bar.n)
        tqdm.write(painted_text(outcome))


def warn_of_endings(outcome: BatchOutcome) -> None:
    """Log which runs of a batch diverged or stalled."""
    for folder, status, steps in zip(outcome.folders, outcome.statuses, outcome.steps, strict=True):
        if status == "diverged":
            logging.warning(
                "%s: the loss is not finite after step %d, even with smaller steps; saved its best image",
                folder,
                steps,
            )
        if status == "stalled":
            logging.warning("%s: no step lowers the loss; saved the initial picture", folder)


def painted_text(outcome: BatchOutcome) -> str:
    """Return a line about a batch of runs that has been painted."""
    names = ", ".join(outcome.folders)
    return f"{len(outcome.folders)} painted in {duration(outcome.seconds)}: {names}"
