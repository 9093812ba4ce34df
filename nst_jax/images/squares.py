"""The centre square of a picture, decoded no larger than needed."""

from PIL import ExifTags, Image
from PIL.Image import Transpose

from nst_jax.images.modes import to_rgb

# A JPEG is decoded at 1/2, 1/4 or 1/8 of its size if that leaves at least this many pixels per pixel of the
# input, along each side. It is several times faster and loses little detail.
DRAFT_GAP = 2

# EXIF orientation -> the operation that makes the picture upright.
_TURNS = {
    2: Transpose.FLIP_LEFT_RIGHT,
    3: Transpose.ROTATE_180,
    4: Transpose.FLIP_TOP_BOTTOM,
    5: Transpose.TRANSPOSE,
    6: Transpose.ROTATE_270,
    7: Transpose.TRANSVERSE,
    8: Transpose.ROTATE_90,
}
_SIDEWAYS = (5, 6, 7, 8)  # orientations that swap width and height


def centre_square(picture: Image.Image, size: int, name: str) -> tuple[Image.Image, int, int]:
    """The upright centre square, resized to `size` pixels, and the picture's width and height."""
    stored = picture.size
    drafted = picture.draft(None, (DRAFT_GAP * size, DRAFT_GAP * size))
    picture.load()  # rotates a TIFF, and reads the EXIF data that a PNG may have after its pixels
    width, height = stored if drafted else picture.size
    extent = drafted[1][2:] if drafted else picture.size  # may end inside the last row and column
    side = min(extent)
    left, top = (extent[0] - side) / 2, (extent[1] - side) / 2
    square = to_rgb(picture, name).resize(
        (size, size), Image.Resampling.BICUBIC, box=(left, top, left + side, top + side)
    )
    # Rotate last: the centre square is the same, and it has fewer pixels.
    orientation = picture.getexif().get(ExifTags.Base.Orientation)
    if orientation in _TURNS:
        square = square.transpose(_TURNS[orientation])
    if orientation in _SIDEWAYS:
        width, height = height, width
    return square, width, height
