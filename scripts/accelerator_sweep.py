"""Gatys et al. 2015, Fig 3, as one batch and one run after another, in one process."""

import time
from collections.abc import Sequence

import numpy as np
from accelerator_report import Report

from nst_jax.config.named import run_config
from nst_jax.config.stages import stages_of
from nst_jax.methods.gatys import Session
from nst_jax.sweeps.groups import prepare_jobs
from nst_jax.sweeps.plan import cells_of, plan_runs
from nst_jax.transfer.job import Job

FIG3 = "configs/sweeps/gatys2015_fig3.py"
LIMIT = 0.02  # relative difference of the losses: rounding grows along a run


def compare(report: Report, size: int, steps: int) -> None:
    """Paint all cells with slim in both ways; each twice, the first time with compilation."""
    fields = {"size": size, "network.arch": "slim", "optimizer.steps": steps}
    base, sweep = run_config(FIG3)
    runs = plan_runs(base, [(labels, {**fields, **cell}) for labels, cell in cells_of(sweep, FIG3)])
    configs = {run.folder: run.config for run in runs}
    jobs = list(prepare_jobs(configs).values())
    ways = {"as one batch": Session(jobs), "one after another": Session(jobs, 1)}
    losses, seconds = {}, {}
    for way, session in ways.items():
        took = []
        for _ in range(2):
            began = time.perf_counter()
            losses[way] = paint_all(session, jobs, steps)
            took.append(time.perf_counter() - began)
        seconds[way] = took[1]
        report.row(
            f"{len(jobs)} cells of Fig 3, slim, {size} px, {steps} steps",
            painted=way,
            together=session.width,
            seconds_with_compilation=took[0],
            seconds=took[1],
        )
    together, alone = (losses[way] for way in ways)
    report.row(
        "The batch against single runs",
        times_faster=seconds["one after another"] / seconds["as one batch"],
        largest_relative_difference_of_losses=float(np.max(np.abs(together - alone) / alone)),
    )
    report.check(
        "losses of the batch and of single runs", float(np.max(np.abs(together - alone) / alone)), LIMIT
    )


def paint_all(session: Session, jobs: Sequence[Job], steps: int) -> np.ndarray:
    """Return the final loss of each job, painted `session.width` at a time."""
    losses: list[float] = []
    for first in range(0, len(jobs), session.width):
        members = jobs[first : first + session.width]
        padded = [*members, *[members[-1]] * (session.width - len(members))]
        pictures = np.stack([job.initial_image(1.0) for job in padded])
        loop = session.begin(padded, stages_of(jobs[0].config)[-1], pictures)
        loop.run_to(steps, lambda look: True)
        losses += loop.look().value.tolist()[: len(members)]
    return np.array(losses)
