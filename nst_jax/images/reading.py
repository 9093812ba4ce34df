"""Reading pictures from files."""

import contextlib
import math
import os
import re
import warnings
from collections.abc import Iterator
from io import BufferedReader, BytesIO
from pathlib import Path

import numpy as np
from absl import logging
from jaxtyping import Float32
from PIL import Image, UnidentifiedImageError

from nst_jax.errors import UserError
from nst_jax.files import open_regular
from nst_jax.images.decoding import lacks_memory, needed_to_decode
from nst_jax.images.modes import to_floats
from nst_jax.images.orientation import ORIENTATION_TAG, upright
from nst_jax.images.samples import locate
from nst_jax.images.tiff import DeepTiff, opened_tiff
from nst_jax.images.tiff_pages import NoPageError, is_tiff, no_page

MIN_SIDE = 16  # pixels: VGG halves the picture four times before its last style layer

MOST_PIXELS = 1_000_000_000  # Pillow's own limit, 89 million, is below that of phones
_TOO_LARGE = f"it has more than {MOST_PIXELS / 1e6:.0f} million pixels; make it smaller first"
_LARGE = 32_000_000  # pixels: larger pictures are reduced while they are decoded
_GAP = 2  # a reduced picture has this many pixels per pixel that is needed, along each side
# A blank picture varies by less. Most pictures pass already at every 16th row and column.
_BLANK, _SPARSE = 2 / 255, 16
_PAGE = re.compile(r"(?P<path>.+)#(?P<number>\d{1,5})", re.DOTALL)

# An explicit list, because Pillow also reads EPS by running Ghostscript, which is unsafe on untrusted files.
_FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "TIFF", "BMP", "PPM", "AVIF", "JPEG2000", "TGA", "ICO")


class UnreadableError(UserError):
    """A file that cannot be read as a picture."""

    def __init__(self, source: str, why: object) -> None:
        """Build the message; the cause alone is kept in `why`."""
        self.why = " ".join(str(why).split())
        super().__init__(f"cannot read {source!r}: {self.why}")


def read(source: str, smallest: int = MIN_SIDE, say: bool = True) -> Float32[np.ndarray, "1 h w 3"]:
    """Read the picture at a path, or the bundled picture `sample:NAME`.

    `PATH#N` is frame or page N of a file with several, from 1. By default it is the first frame of an
    animation, and the largest page of a TIFF. The EXIF orientation and the colour profile are applied, and
    transparent pixels are blended with white, or with another gray if the outline would vanish on white. No
    side may be under `smallest` pixels. With `say`, what is odd about the picture is logged.

    Raises:
        UserError: the file is missing, unreadable, not a picture, damaged, too small or too large, also for
            the free memory; or there is no such sample, frame or page.
    """
    with _opened_source(source, smallest, say) as picture:
        return _pixels(picture, source, say=say)


def read_reduced(source: str, longer_side: int) -> tuple[Float32[np.ndarray, "1 h w 3"], tuple[int, int]]:
    """Read a picture, and return it with its height and width.

    If it is very large, it is decoded smaller, but with at least twice `longer_side` pixels.

    Raises:
        UserError: as `read`.
    """
    with _opened_source(source, say=True) as picture:
        width, height = picture.size
        pixels = _pixels(picture, source, _reduction(picture, longer_side))
    is_turned = (width > height) != (pixels.shape[2] > pixels.shape[1])
    return pixels, (width, height) if is_turned else (height, width)


def sides(source: str) -> tuple[int, int]:
    """Return the two sides of a picture in pixels, from its header; its orientation is not applied.

    Raises:
        UserError: as `read`, but damage after the header is not noticed.
    """
    with _opened_source(source) as picture:
        return picture.size[1], picture.size[0]


def pixel_count(source: str) -> int:
    """Return the number of pixels of a picture; see `sides`."""
    return math.prod(sides(source))


def decoding_bytes(source: str, longer_side: int) -> int:
    """Return about how much memory `read_reduced` takes, from the header.

    Raises:
        UserError: as `sides`.
    """
    with _opened_source(source) as picture:
        return needed_to_decode(picture, _reduction(picture, longer_side))


@contextlib.contextmanager
def _opened_source(
    source: str, smallest: int = MIN_SIDE, say: bool = False
) -> Iterator[Image.Image | DeepTiff]:
    quieten_pillow()
    path, number = _page_of(source)
    with open_file(path, source) as file, opened(file, source, smallest, number, say) as picture:
        yield picture


def _page_of(source: str) -> tuple[Path, int | None]:
    """The file and the number of `PATH#N`, unless there is a file of this very name."""
    path = locate(source)
    match = _PAGE.fullmatch(source)
    # A dangling link counts as this file too: its own message is the better one.
    if match is None or os.path.lexists(path):
        return path, None
    return locate(match["path"]), int(match["number"])


def _reduction(picture: Image.Image | DeepTiff, longer_side: int) -> int:
    """By which factor to reduce a picture after decoding it; a JPEG is set to be decoded smaller first."""
    if picture.size[0] * picture.size[1] <= _LARGE:
        return 1
    enough = _GAP * longer_side
    if isinstance(picture, Image.Image):
        share = min(1.0, enough / max(picture.size))
        picture.draft(None, (math.ceil(share * picture.size[0]), math.ceil(share * picture.size[1])))
    return max(1, max(picture.size) // enough)


def _pixels(
    picture: Image.Image | DeepTiff, source: str, factor: int = 1, say: bool = True
) -> Float32[np.ndarray, "1 h w 3"]:
    if lack := lacks_memory(picture, factor):
        raise UnreadableError(source, lack)
    pixels = to_floats(picture, source, factor)
    if say and np.ptp(pixels[::_SPARSE, ::_SPARSE]) < _BLANK and np.ptp(pixels) < _BLANK:
        logging.warning("%s: it is blank: all its pixels have nearly the same gray", source)
    return np.ascontiguousarray(upright(pixels, orientation_of(picture)))[np.newaxis]


def _seek(picture: Image.Image, source: str, number: int | None, say: bool) -> None:
    """Go to frame `number`, counted from 1."""
    if number is not None:
        frames = getattr(picture, "n_frames", 1)
        if not 1 <= number <= frames:
            raise no_page(number, frames)
        picture.seek(number - 1)
    # A JPEG with several pictures, MPO, has a main one, and previews or views from other places.
    elif say and picture.format != "MPO" and (frames := getattr(picture, "n_frames", 1)) > 1:
        logging.warning("%s: using frame 1 of %d; %s#N is frame N", source, frames, source)


def open_file(path: Path, source: str) -> BufferedReader:
    """Open a file for reading; error messages call it `source`."""
    try:
        file = open_regular(path)
    except (OSError, ValueError) as error:
        raise UnreadableError(source, getattr(error, "strerror", None) or error) from error
    if not file.peek(1):
        file.close()
        raise UnreadableError(source, "the file is empty")
    return file


@contextlib.contextmanager
def opened(
    file: BufferedReader | BytesIO,
    source: str,
    smallest: int = MIN_SIDE,
    number: int | None = None,
    say: bool = False,
) -> Iterator[Image.Image | DeepTiff]:
    """Open frame or page `number` of a file, without decoding it; errors become `UnreadableError`.

    With `say`, a warning tells which of several frames or pages is used.
    """
    try:
        deep = opened_tiff(file, source, number, say) if is_tiff(file) else None
        with deep or Image.open(file, formats=_known_formats()) as picture:
            if isinstance(picture, Image.Image) and picture.format != "TIFF":
                _seek(picture, source, number, say)
            _check_size(picture.size, source, smallest)
            yield picture
    except UserError:
        raise
    except Exception as error:  # Pillow's decoders raise all kinds of errors on bad data.
        raise UnreadableError(source, _diagnosis(error)) from error


def orientation_of(picture: Image.Image | DeepTiff) -> int:
    """How a picture, once decoded, has to be turned; Pillow turns a TIFF when it decodes it."""
    if isinstance(picture, DeepTiff):
        return picture.orientation
    return picture.getexif().get(ORIENTATION_TAG, 1)


def picture_suffixes() -> set[str]:
    """The suffixes of files in a supported format, in lower case, such as `.jpg`."""
    formats = _known_formats()
    return {suffix for suffix, name in Image.registered_extensions().items() if name in formats}


def quieten_pillow() -> None:
    """Ignore Pillow's warnings about oddities in files, and set its limit of pixels to ours."""
    # Set permanently for the whole process: `warnings.catch_warnings` is not thread-safe.
    warnings.filterwarnings("ignore", module=r"PIL\.")
    Image.MAX_IMAGE_PIXELS = MOST_PIXELS


def _check_size(size: tuple[int, int], source: str, smallest: int) -> None:
    width, height = size
    if min(size) < smallest:
        why = f"it is {width} x {height} pixels, but the shorter side must be at least {smallest}"
        raise UnreadableError(source, why)
    if width * height > MOST_PIXELS:
        raise UnreadableError(source, _TOO_LARGE)


def _diagnosis(error: Exception) -> str:
    if isinstance(error, UnidentifiedImageError):
        return f"not a picture in a supported format ({', '.join(_known_formats())})"
    if isinstance(error, Image.DecompressionBombError):
        return _TOO_LARGE
    if isinstance(error, NotImplementedError | NoPageError):
        return str(error)
    return f"damaged or truncated: {error}"


def _known_formats() -> list[str]:
    Image.init()
    return [name for name in _FORMATS if name in Image.OPEN]  # AVIF requires Pillow 11.3.
