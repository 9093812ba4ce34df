"""Painting of jobs together: through all stages, each recorded into its own folder and resumed from it."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from nst_jax.errors import UserError
from nst_jax.optimizers.loop import Watch
from nst_jax.runs.checkpoint import Checkpoint
from nst_jax.runs.folder import RunFolder
from nst_jax.transfer.job import Job, Outcome
from nst_jax.transfer.stage_run import JobBatch, StageResult, StageRun
from nst_jax.transfer.stage_session import StageSession


def paint(
    session: StageSession,
    jobs: Sequence[Job],
    folders: Sequence[RunFolder],
    watch: Watch,
    saved: Sequence[Checkpoint | None] | None = None,
) -> list[Outcome]:
    """Optimise up to `session.width` jobs together, and write each one's records and result to its folder.

    A job with a checkpoint in `saved` resumes from it; all these checkpoints must be at the same stage.
    `watch` is called between chunks of steps with the progress of each job, and stops the run by returning
    False. A job whose loss remains non-finite ends as 'diverged' with its best image, and one whose loss no
    step has lowered as 'stalled'; the others continue.

    Raises:
        UserError: a folder cannot be written, in which case it tries to save the pictures so far, or a
            checkpoint does not match its job.
    """
    checkpoints = {lane: checkpoint for lane, checkpoint in enumerate(saved or []) if checkpoint}
    batch = JobBatch(session, jobs, folders, watch, checkpoints)
    for _ in painted(batch):
        pass
    return [batch.outcomes[lane] for lane in range(len(jobs))]


def painted(batch: JobBatch) -> Iterator[tuple[int, Callable[[int], np.ndarray]]]:
    """Paint as `paint` does; yield every step that is logged, after it, and what gives the picture of a job.

    The results are in `batch.outcomes` once this has ended.
    """
    first = max((checkpoint.stage for checkpoint in batch.saved.values()), default=0)
    if first >= len(batch.stages):
        raise UserError(
            f"--resume: the checkpoint is at stage {first + 1}, but the run has {len(batch.stages)} stages"
        )

    def picture(lane: int) -> np.ndarray:
        return run.picture(lane)

    previous: StageResult | None = None
    for stage in batch.stages[first:]:
        # Only the stage at which a run was interrupted continues from its checkpoint.
        run = StageRun(batch, stage, previous, batch.saved if stage.number == first else {})
        for stop in run.stops():
            # Not `run` itself: whoever kept it would keep its arrays in memory through the next stage.
            yield stop, picture
        if run.interrupted or not batch.active() or stage is batch.stages[-1]:
            run.finish()
            return
        previous = run.result()
