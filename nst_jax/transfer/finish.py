"""Conversion of an optimised image into the picture that is written, for snapshots and results alike."""

import numpy as np
from jaxtyping import Float

from nst_jax.transfer.job import Job


def finish(job: Job, image: Float[np.ndarray, "1 h w 3"]) -> Float[np.ndarray, "1 h w 3"]:
    """Return the optimised `image` of `job` as a picture: its values clipped to [0, 1]."""
    del job
    return np.clip(image, 0, 1)
