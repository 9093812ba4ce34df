"""The interface of a session: what painting asks of a transfer method."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np

from nst_jax.config import Config
from nst_jax.config.stages import Stage
from nst_jax.optimizers.lanes import Lanes
from nst_jax.optimizers.loop import Loop
from nst_jax.transfer.job import Job


@runtime_checkable
class StageSession(Protocol):
    """What jobs of one group share, and how each of their stages begins; see `nst_jax.methods`."""

    config: Config  # of one of the jobs
    width: int  # how many of them are painted together at most
    keeps_start: bool  # whether a stage depends on the picture that it began with

    @property
    def note(self) -> str:
        """A line for the user, or ''."""

    @property
    def lanes(self) -> Lanes:
        """The programs at full size."""

    @property
    def compilations(self) -> int:
        """Number of step programs compiled so far."""

    def begin(self, jobs: Sequence[Job], stage: Stage, pictures: np.ndarray) -> Loop:
        """Start `width` jobs at a stage, from stacked `pictures`."""

    def picture(self, job: Job, stage: Stage, array: np.ndarray) -> np.ndarray:
        """Return the picture that an optimised `array` stands for, of the size of `stage`."""

    def finish(self, job: Job, picture: np.ndarray) -> np.ndarray:
        """Return what is written of a `picture`, for snapshots and results alike; values are in [0, 1]."""

    def reported(self, job: Job) -> set[str]:
        """Return the names of the parts of terms that a run logs."""

    def lane_bytes(self) -> int:
        """Memory of one lane at full size, in bytes."""

    def step_bytes(self, job: Job) -> int:
        """Memory of the step program of `job` alone at full size, in bytes."""

    def target_bytes(self, job: Job) -> int:
        """Memory for the targets of `job` at full size, in bytes."""
