"""Masks: gray pictures that say where something applies, 1 where it does."""

import numpy as np
from jaxtyping import Float
from PIL import Image

from nst_jax.errors import UserError
from nst_jax.images.reading import read

MOST_DISTORTION = 0.02  # by which the aspect ratio of a mask may differ from that of its picture

Mask = Float[np.ndarray, "_ _"]


def read_mask(source: str, size: tuple[int, int]) -> Mask:
    """Read a mask for a picture of `size`, height and width; grays are partial membership.

    Raises:
        UserError: it is not a picture, has another aspect ratio, or is black everywhere.
    """
    mask = read(source)[0].mean(-1)
    height, width = mask.shape
    distortion = (height / width) / (size[0] / size[1])
    if not 1 / (1 + MOST_DISTORTION) < distortion < 1 + MOST_DISTORTION:
        raise UserError(f"{source}: is {width} x {height} pixels, but its picture is {size[1]} x {size[0]}")
    if not mask.any():
        raise UserError(f"{source}: is black everywhere; white marks the region")
    return mask


def resize_mask(mask: Mask, height: int, width: int) -> Float[np.ndarray, "{height} {width}"]:
    """Resize bilinearly, antialiased."""
    resized = Image.fromarray(mask.astype(np.float32)).resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(resized).clip(0, 1)
