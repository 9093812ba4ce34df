"""What the sessions of all methods share: how a stage begins, what its variable shows, and its memory."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from nst_jax import images
from nst_jax.config.stages import Stage
from nst_jax.images.color import with_chroma
from nst_jax.optimizers.lanes import Lanes
from nst_jax.optimizers.loop import Loop
from nst_jax.transfer.job import Job
from nst_jax.transfer.programs import Programs
from nst_jax.transfer.starting import with_better_start
from nst_jax.variables.pixels import grayed
from nst_jax.variables.variable import Variable


class MinimizingSession(ABC):
    """A `StageSession` whose stages minimise a loss over a variable; a method says of which data.

    Its data have a `basis`, that of the variable. If `keeps_start`, they depend on the initial picture.
    """

    keeps_start = False

    def __init__(self, jobs: Sequence[Job], variable: Variable, *programs: Programs):
        """Take the programs of the scales, and of the method's extra stage if it has one."""
        self._job, self._variable, self._programs = jobs[0], variable, programs
        self.config = jobs[0].config
        self.width = self.lanes.width
        self.network = self.lanes.replicate(jobs[0].network)

    @abstractmethod
    def data(self, job: Job, stage: Stage, start: np.ndarray) -> Any:
        """Return what the loss of `job` at `stage` depends on, from its initial picture `start`."""

    @abstractmethod
    def shapes(self, job: Job) -> list[tuple[Any, Any]]:
        """Return the shapes of the data and the variable at full size, for each of the programs in use."""

    @property
    def note(self) -> str:
        """A line for the user, or the empty string."""
        return ""

    @property
    def lanes(self) -> Lanes:
        """The programs at full size."""
        return self._programs[0].at(self._job.shape_at(1.0))

    @property
    def compilations(self) -> int:
        """Number of step programs compiled so far."""
        return sum(programs.compilations for programs in self._programs)

    def begin(self, jobs: Sequence[Job], stage: Stage, pictures: np.ndarray) -> Loop:
        """Start `width` jobs at the size of `stage`, from their stacked initial `pictures`.

        For what may replace these, see `nst_jax.transfer.starting`; not if the losses depend on them, which
        could not be compared.
        """
        data = [self.data(job, stage, picture) for job, picture in zip(jobs, pictures, strict=True)]
        stacked = _stacked(data)
        rates = [job.config.optimizer.learning_rate for job in jobs]
        lanes = self._programs[stage.extra].at(self._job.shape_at(stage.scale))

        def begun(pictures: np.ndarray) -> Loop:
            encoded = map(self._variable.encode, (one.basis for one in data), pictures)
            arrays = np.stack([np.asarray(array) for array in encoded])
            return Loop(lanes, self.network, stacked, arrays, rates)

        return begun(pictures) if self.keeps_start else with_better_start(begun, jobs, stage, pictures)

    def picture(self, job: Job, stage: Stage, array: np.ndarray) -> np.ndarray:
        """Return the picture that the optimised `array` stands for."""
        basis = self._variable.init(job.canvas_at(stage.scale))
        return np.asarray(self._variable.decode(basis, array))

    def finish(self, job: Job, picture: np.ndarray) -> np.ndarray:
        """Return what is written of an optimised `picture`: its values within [0, 1].

        If the style sets the luminance alone, the chroma is that of the photo; if all pictures are gray, so
        is the result.
        """
        if job.config.color == "luminance":
            picture = with_chroma(picture, images.resize(job.photo, *picture.shape[1:3]))
        else:
            picture = np.clip(picture, 0, 1)
        return grayed(picture) if job.gray else picture

    def lane_bytes(self) -> int:
        """Memory of one lane at full size, in bytes."""
        return self._programs[0].lane_bytes

    def step_bytes(self, job: Job) -> int:
        """Memory of the largest step program of `job` alone at full size, in bytes."""
        # The last program may have no shapes: a job can do without the extra stage.
        in_use = zip(self._programs, self.shapes(job), strict=False)
        return max(
            programs.step_bytes(job.shape_at(1.0), self.network, *shapes) for programs, shapes in in_use
        )


@jax.jit
def _stacked(data: Sequence[Any]) -> Any:
    """The data of all jobs with a leading axis, which a single run has as well: it is a batch of one."""
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *data)
