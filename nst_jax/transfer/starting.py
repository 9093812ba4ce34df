"""Where a stage starts: from the enlarged result of the coarser one, unless that has gained too little."""

from collections.abc import Callable, Sequence

import numpy as np
from absl import logging
from jaxtyping import Float

from nst_jax.config.stages import Stage
from nst_jax.optimizers.loop import Loop
from nst_jax.transfer.job import Job

# The share of the initial loss below which a coarser stage must end. Where a style has any effect to be seen,
# it ends below two thirds; with a content weight that lets nothing change, at nine tenths and more.
ENOUGH = 0.8


def with_better_start(
    begun: Callable[[np.ndarray], Loop],
    jobs: Sequence[Job],
    stage: Stage,
    pictures: Float[np.ndarray, "lanes 1 h w 3"],
    reached: Float[np.ndarray, "lanes"] | None,
) -> Loop:
    """Return the loop that `begun` makes of `pictures`, or of initial pictures where that is better.

    An enlarged picture has lost the finest detail of the content, which no later step restores if the content
    weighs most. So if a coarser stage `reached` hardly less than the loss of the initial picture, which takes
    an evaluation that is not counted, a lane starts from that picture again. Noise is never compared.
    """
    if reached is None or all(job.start is None for job in jobs):
        return begun(pictures)
    initial = np.stack([job.initial_image(stage.scale) for job in jobs])
    values, loop = begun(initial).first_values(), begun(pictures)
    afresh = (reached > ENOUGH * values) & (values < loop.first_values())
    afresh &= [job.start is not None for job in jobs]
    if not afresh.any():
        return loop
    logging.warning("scale %g: starts from init again: coarser scales gained little", stage.scale)
    return begun(np.where(afresh[:, None, None, None, None], initial, pictures))
