"""The one way by which a picture leaves an optimisation, for snapshots as for results."""

import numpy as np
from jaxtyping import Float

from nst_jax.transfer.job import Job


def finish(job: Job, image: Float[np.ndarray, "1 h w 3"]) -> Float[np.ndarray, "1 h w 3"]:
    """The picture to show of an optimised `image`: its values clipped to [0, 1]."""
    del job
    return np.clip(image, 0, 1)
