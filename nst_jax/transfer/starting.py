"""Where a stage starts: from the enlarged result of the coarser one, unless `init` is far better."""

from collections.abc import Callable, Sequence

import numpy as np
from absl import logging
from jaxtyping import Float

from nst_jax.config.stages import Stage
from nst_jax.optimizers.loop import Loop
from nst_jax.transfer.job import Job

# The share of the enlarged picture's loss below which the initial one replaces it. A photo whose loss is only
# somewhat lower is a worse start: it lacks the large forms that the coarse stages have painted.
FAR_BETTER = 0.25


def with_better_start(
    begun: Callable[[np.ndarray], Loop],
    jobs: Sequence[Job],
    stage: Stage,
    pictures: Float[np.ndarray, "lanes 1 h w 3"],
) -> Loop:
    """Return the loop that `begun` makes of `pictures`, or of initial pictures where they are `FAR_BETTER`.

    An enlarged picture has lost the finest detail of the content. If the content weighs most by far, that
    costs more than the style has gained, and no later step would restore it. The initial picture takes one
    evaluation, which is not counted; noise is never compared.
    """
    if stage.number == 0 or all(job.start is None for job in jobs):
        return begun(pictures)
    initial = np.stack([job.initial_image(stage.scale) for job in jobs])
    values = begun(initial).first_values()
    loop = begun(pictures)
    afresh = (values < FAR_BETTER * loop.first_values()) & [job.start is not None for job in jobs]
    if not afresh.any():
        return loop
    logging.warning("scale %g: starts from init again, which has a far lower loss", stage.scale)
    return begun(np.where(afresh[:, None, None, None, None], initial, pictures))
