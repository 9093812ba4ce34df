"""The painting of a sweep on this machine, group by group, with a progress bar and Ctrl-C."""

from collections.abc import Sequence
from typing import Any

from absl import logging
from tqdm import tqdm

from nst_jax.optimizers.loop import Look
from nst_jax.runs.interrupt import CtrlC
from nst_jax.runs.progress import duration
from nst_jax.sweeps.groups import Painted, check_folders, group_task, paint_group, prepare_jobs
from nst_jax.sweeps.sweep_folder import Sweep
from nst_jax.transfer.estimate import require_lanes
from nst_jax.transfer.session import Session, group


def run_sweep(sweep: Sweep, width: int | None = None) -> bool:
    """Paint the runs that are not finished, `width` together; False if Ctrl-C ended it.

    Raises:
        UserError: a run cannot be prepared or does not fit the memory (nothing has been written then), or a
            folder cannot be written.
    """
    unfinished = {run.folder for run in sweep.unfinished()}
    if not unfinished:
        return True
    configs = {run.folder: run.config for run in sweep.runs}
    jobs = prepare_jobs(configs)
    check_folders(configs, jobs, sweep.path)
    folders = list(configs)
    groups = [[folders[index] for index in members] for members in group(list(jobs.values()))]
    groups = [members for members in groups if unfinished & set(members)]
    sessions = [Session([jobs[folder] for folder in members], width) for members in groups]
    for members, session in zip(groups, sessions, strict=True):
        require_lanes(session, jobs[members[0]])
    sweep.save()
    total = sum(_steps(configs[folder]) for folder in unfinished)
    with CtrlC() as ctrl_c, tqdm(total=total, unit="step", dynamic_ncols=True) as bar:
        display = Display(bar, ctrl_c, {folder: _steps(config) for folder, config in configs.items()})
        for members, session in zip(groups, sessions, strict=True):
            entry = {"runs": [folder for folder in members if folder in unfinished], "batch": session.width}
            entry["compilations"] = 0
            sweep.groups.append(entry)
            task = group_task({folder: configs[folder] for folder in members}, width)
            mine = {folder: jobs[folder] for folder in members}
            for painted in paint_group(task, sweep.path, display.watch, session, mine):
                entry["compilations"] = painted.compilations
                sweep.save()
                display.tell(painted)
            if ctrl_c.pressed:
                return False
    return True


class Display:
    """A progress bar over all runs of a sweep."""

    def __init__(self, bar: tqdm, ctrl_c: CtrlC, steps: dict[str, int]):
        """`steps` are those of each run, by folder."""
        self.bar, self.ctrl_c, self.steps = bar, ctrl_c, steps
        self.before = 0  # steps of the runs that have ended

    def watch(self, folders: Sequence[str], look: Look) -> bool:
        """Show where the runs stand; False after Ctrl-C."""
        self.bar.set_postfix_str(f"painting {', '.join(folders)}"[:60], refresh=False)
        self.bar.update(self.before + int(look.step.sum()) - self.bar.n)
        return not self.ctrl_c.pressed

    def tell(self, painted: Painted) -> None:
        """Say what became of a batch of runs."""
        for folder, status, steps in zip(painted.folders, painted.statuses, painted.steps, strict=True):
            if status == "diverged":
                logging.warning(
                    "%s: the loss is not finite after step %d, even with smaller steps; its best image is "
                    "kept",
                    folder,
                    steps,
                )
        if self.ctrl_c.pressed:
            return
        # Runs that ended early, by stalling or diverging, count as complete.
        self.before += sum(self.steps[folder] for folder in painted.folders)
        self.bar.update(self.before - self.bar.n)
        names = ", ".join(painted.folders)
        tqdm.write(f"{len(painted.folders)} painted in {duration(painted.seconds)}: {names}")


def _steps(config: Any) -> int:
    return config.optimizer.steps * len(config.scales)
