"""The method of Gatys et al.: the picture that minimises an objective of losses.

A session holds what many jobs share: the network, compiled programs and style targets.

Jobs of one group are painted together as lanes of one program, or one after another without retracing.
Within a group, these may differ: pictures (of the same shape), layers and their weights, alpha, beta, tv,
init, seed and learning rate. Each result equals that of a single run up to rounding.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from nst_jax.config.stages import Stage
from nst_jax.losses.objective import Objective, total_and_terms
from nst_jax.losses.terms.terms import reported_parts
from nst_jax.methods.costs import evaluation_costs
from nst_jax.methods.transfer_method import TransferMethod
from nst_jax.transfer.assembling import ObjectiveMaker
from nst_jax.transfer.dividing import split_of
from nst_jax.transfer.job import Job
from nst_jax.transfer.minimizing import MinimizingSession
from nst_jax.transfer.programs import Programs
from nst_jax.variables.pixels import PIXELS
from nst_jax.variables.variable import Variable


class Session(MinimizingSession):
    """Paints jobs of one group, up to `width` at a time, with one program per scale."""

    def __init__(self, jobs: Sequence[Job], width: int | None = None, variable: Variable = PIXELS):
        """Prepare programs for `jobs`, all of one group; for `width` see `Programs`.

        What they optimise is `variable`.

        Raises:
            UserError: several devices cannot share the variable.
        """
        split = split_of(jobs[0], variable)
        self.objectives = ObjectiveMaker(jobs, variable, split)
        programs = Programs(total_and_terms, jobs, width, lambda: self.objectives.shapes(jobs[0]), split)
        super().__init__(jobs, variable, programs)

    def data(self, job: Job, stage: Stage, start: np.ndarray) -> Objective:
        """Return the objective at `stage`, which does not depend on the initial picture."""
        del start
        return self.objective(job, stage.scale)

    def objective(self, job: Job, scale: float) -> Objective:
        """Return the objective of `job` at `scale`, with targets for all layers of the group."""
        return self.objectives.objective(job, scale, self.network)

    def shapes(self, job: Job) -> list[tuple[Any, Any]]:
        """Return the shapes of the objective and the variable at full size."""
        return [self.objectives.shapes(job)]

    def reported(self, job: Job) -> set[str]:
        """Return the names of the parts of all terms."""
        return set(reported_parts(job.config))

    def target_bytes(self, job: Job) -> int:
        """Memory for the style targets, in bytes."""
        return self.objectives.style_bytes(job, self.network)


GATYS = TransferMethod(open=Session, costs=evaluation_costs, tiles=True)
