"""Cropping of pictures to the square that a network sees."""

import numpy as np
from jaxtyping import Float, Float32

from nst_jax import images
from nst_jax.images.streams import Box

# Limits that no real experiment comes near; a number beyond them is a mistake.
LARGEST_INPUT = 4096  # side of the square that a network sees, pixels
MOST_PICTURES = 1024  # in a batch


def middle(height: int, width: int) -> Box:
    """Return the largest centred square of a picture."""
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return left, top, left + side, top + side


def framed(
    picture: Float[np.ndarray, "1 h w 3"], box: Box, size: int
) -> Float32[np.ndarray, "1 {size} {size} 3"]:
    """Crop a picture to `box`, and resize it to `size` x `size` pixels."""
    x0, y0, x1, y1 = box
    return images.resize(picture[:, y0:y1, x0:x1], size, size)
