"""Conversion of an optimised image into the picture that is written, for snapshots and results alike."""

import numpy as np
from jaxtyping import Float

from nst_jax import images
from nst_jax.images.color import with_chroma
from nst_jax.transfer.job import Job
from nst_jax.variables.pixels import grayed


def finished(job: Job, image: Float[np.ndarray, "1 h w 3"]) -> Float[np.ndarray, "1 h w 3"]:
    """Return the optimised `image` of `job` as a picture, its values within [0, 1].

    If the style sets the luminance alone, the chroma is that of the photo; if all pictures are gray, so is
    this one.
    """
    if job.config.color == "luminance":
        picture = with_chroma(image, images.resize(job.photo, *image.shape[1:3]))
    else:
        picture = np.clip(image, 0, 1)
    return grayed(picture) if job.gray else picture
