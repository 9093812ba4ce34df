"""The orientation of EXIF and TIFF: how a picture has to be turned to stand upright."""

import numpy as np
from jaxtyping import Shaped

ORIENTATION_TAG = 274
_UPSIDE_DOWN, _MIRRORED = (3, 4, 7, 8), (2, 3, 6, 7)  # values of the tag, from 1 to 8
_SIDEWAYS = (5, 6, 7, 8)


def upright(pixels: Shaped[np.ndarray, "h w *c"], orientation: int) -> Shaped[np.ndarray, "h2 w2 *c"]:
    """Turn a picture upright; an unknown orientation leaves it as it is."""
    if orientation in _SIDEWAYS:
        pixels = pixels.swapaxes(0, 1)
    if orientation in _UPSIDE_DOWN:
        pixels = pixels[::-1]
    return pixels[:, ::-1] if orientation in _MIRRORED else pixels


def upright_size(size: tuple[int, int], orientation: int) -> tuple[int, int]:
    """Return the width and height of a picture of stored `size`."""
    return size[::-1] if orientation in _SIDEWAYS else size
