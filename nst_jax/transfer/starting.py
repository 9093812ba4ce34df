"""Where a stage starts: from the enlarged result of the coarser one, unless that has lost too much."""

from collections.abc import Callable, Sequence

import numpy as np
from absl import logging
from jaxtyping import Float

from nst_jax.config.stages import Stage
from nst_jax.optimizers.loop import Loop
from nst_jax.transfer.job import Job

# Times the loss of the initial picture. Usual runs have a ratio of at most 2, and the coarse result is the
# better start, because it holds the large forms. From about 25, the content lets nothing change.
FAR = 10.0


def with_better_start(
    begun: Callable[[np.ndarray], Loop],
    jobs: Sequence[Job],
    stage: Stage,
    pictures: Float[np.ndarray, "lanes 1 h w 3"],
) -> Loop:
    """Return the loop that `begun` makes of `pictures`, or of initial pictures where that is better.

    An enlarged picture has lost the finest detail of the content, which no later step restores if the content
    weighs most. A lane starts from its initial picture again if the loss of the enlarged one is `FAR` times
    as large. Noise is never compared. The evaluation of the initial pictures is not counted.
    """
    if stage.number == 0 or all(job.start is None for job in jobs):
        return begun(pictures)
    initial = np.stack([job.initial_image(stage.scale) for job in jobs])
    values = begun(initial).first_values()
    loop = begun(pictures)
    afresh = (loop.first_values() > FAR * values) & [job.start is not None for job in jobs]
    if not afresh.any():
        return loop
    logging.warning("scale %g: starts from init again: enlarging has lost too much detail", stage.scale)
    return begun(np.where(afresh[:, None, None, None, None], initial, pictures))
