"""The centre square of a picture, or all of it, decoded no larger than needed."""

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from nst_jax.images.decoding import lacks_memory
from nst_jax.images.modes import to_rgb
from nst_jax.images.orientation import upright, upright_size
from nst_jax.images.reading import UnreadableError, orientation_of
from nst_jax.images.resizing import fitted
from nst_jax.images.tiff import DeepTiff

# A JPEG is decoded at 1/2, 1/4 or 1/8 of its size if that leaves at least this many pixels per pixel of the
# input, along each side. It is several times faster and loses little detail.
DRAFT_GAP = 2


def centre_square(picture: Image.Image | DeepTiff, size: int, name: str) -> tuple[np.ndarray, int, int]:
    """The upright centre square, resized to `size` pixels, and the picture's width and height."""
    if isinstance(picture, DeepTiff):
        picture = Image.fromarray(upright_rgb(picture, name))
    stored = picture.size
    drafted = picture.draft(None, (DRAFT_GAP * size, DRAFT_GAP * size))
    _require_memory(picture, name)
    picture.load()  # rotates a TIFF, and reads the EXIF data that a PNG may have after its pixels
    width, height = stored if drafted else picture.size
    extent = drafted[1][2:] if drafted else picture.size  # may end inside the last row and column
    side = min(extent)
    left, top = (extent[0] - side) / 2, (extent[1] - side) / 2
    square = to_rgb(picture, name).resize(
        (size, size), Image.Resampling.BICUBIC, box=(left, top, left + side, top + side)
    )
    # Turn last: the centre square is the same, and it has fewer pixels.
    orientation = orientation_of(picture)
    return upright(np.asarray(square), orientation), *upright_size((width, height), orientation)


def reduced_rgb(picture: Image.Image | DeepTiff, longer_side: int, name: str) -> UInt8[np.ndarray, "h w 3"]:
    """The whole picture, upright, with at most `longer_side` pixels along each side."""
    if isinstance(picture, Image.Image):
        picture.draft(None, (DRAFT_GAP * longer_side, DRAFT_GAP * longer_side))
    whole = upright_rgb(picture, name)
    if max(whole.shape) <= longer_side:
        return whole
    height, width = fitted(whole.shape[:2], longer_side)
    return np.asarray(Image.fromarray(whole).resize((width, height), Image.Resampling.BICUBIC))


def upright_rgb(picture: Image.Image | DeepTiff, name: str) -> UInt8[np.ndarray, "h w 3"]:
    """The whole picture, upright."""
    _require_memory(picture, name)
    pixels = np.asarray(to_rgb(picture, name))  # before the orientation, which a PNG may have at its end
    return np.ascontiguousarray(upright(pixels, orientation_of(picture)))


def _require_memory(picture: Image.Image | DeepTiff, name: str) -> None:
    if lack := lacks_memory(picture, eight_bits=True):
        raise UnreadableError(name, lack)
