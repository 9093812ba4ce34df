"""Cropping of pictures to the square that a network sees."""

import numpy as np
from jaxtyping import Float, Float32

from nst_jax import images
from nst_jax.errors import UserError
from nst_jax.images.streams import Box
from nst_jax.networks import receptive
from nst_jax.networks.architectures import architecture

# Limits that no real experiment comes near; a number beyond them is a mistake.
LARGEST_INPUT = 4096  # side of the square that a network sees, pixels
MOST_PICTURES = 1024  # in a batch


def require_field(size: int, arch: str, layer: str, most: int = LARGEST_INPUT) -> None:
    """Check that pictures of `size` pixels hold the receptive field of `layer`, or `most` pixels of it.

    Raises:
        UserError: they do not.
    """
    needed = min(receptive.field_side(architecture(arch).layers, layer), most)
    if size < needed:
        raise UserError(f"size: {size} is less than the receptive field of {layer}; give at least {needed}")


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
