"""Painting of a single run that another program needs: complete, or not at all."""

from pathlib import Path

import numpy as np

from nst_jax.methods.estimate import require_memory
from nst_jax.methods.speed import work_of
from nst_jax.methods.transfers import open_session
from nst_jax.optimizers.loop import Look
from nst_jax.runs.folder import RunFolder
from nst_jax.runs.progress import Progress
from nst_jax.terminal.signals import Interrupted, StopSignal
from nst_jax.transfer.job import Job
from nst_jax.transfer.painting import paint


def paint_completely(job: Job, path: Path) -> np.ndarray:
    """Return the picture of `job`, which is also written to a new run folder `path`; show a progress bar.

    Raises:
        UserError: the folder already holds a run, or cannot be written, or the memory is too small.
        Interrupted: a signal asked to stop; the best picture so far and a checkpoint have been saved.
    """
    run = RunFolder(path, job.config)
    run.require_free()
    session = open_session([job])
    require_memory(session, job)
    with StopSignal() as stop, Progress(work_of(job)) as progress:

        def watch(look: Look) -> bool:
            progress.update(int(look.step[0]), float(look.value[0]), int(look.evaluations[0]))
            return not stop.requested

        (outcome,) = paint(session, [job], [run], watch)
    if outcome.status == "interrupted":
        raise Interrupted(stop.number)
    return outcome.image
