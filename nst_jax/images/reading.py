"""Reading pictures from files."""

import contextlib
import warnings
from collections.abc import Iterator
from io import BufferedReader, BytesIO
from pathlib import Path

import numpy as np
from jaxtyping import Float32
from PIL import Image, ImageOps, UnidentifiedImageError

from nst_jax.errors import UserError
from nst_jax.files import open_regular
from nst_jax.images.modes import to_floats
from nst_jax.images.samples import locate

MIN_SIDE = 16  # pixels: VGG halves the picture four times before its last style layer

# An explicit list, because Pillow also reads EPS by running Ghostscript, which is unsafe on untrusted files.
_FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "TIFF", "BMP", "PPM", "AVIF", "JPEG2000", "TGA", "ICO")


class UnreadableError(UserError):
    """A file that cannot be read as a picture."""

    def __init__(self, source: str, why: object) -> None:
        """Build the message; the cause alone is kept in `why`."""
        self.why = " ".join(str(why).split())
        super().__init__(f"cannot read {source!r}: {self.why}")


def read(source: str, smallest: int = MIN_SIDE) -> Float32[np.ndarray, "1 h w 3"]:
    """Read the picture at a path, or the bundled picture `sample:NAME`.

    The EXIF orientation and the colour profile are applied, and transparent pixels are blended with white.
    Only the first frame of an animation is read. No side may be under `smallest` pixels.

    Raises:
        UserError: the file is missing, unreadable, not a picture, damaged, too small or too large;
            or there is no such sample.
    """
    quieten_pillow()
    with open_file(locate(source), source) as file, opened(file, source, smallest) as picture:
        return to_floats(ImageOps.exif_transpose(picture), source)[np.newaxis].astype(np.float32)


def sides(source: str) -> tuple[int, int]:
    """Return the two sides of a picture in pixels, from its header; its orientation is not applied.

    Raises:
        UserError: as `read`, but damage after the header is not noticed.
    """
    quieten_pillow()
    with open_file(locate(source), source) as file, opened(file, source) as picture:
        return picture.height, picture.width


def pixel_count(source: str) -> int:
    """Return the number of pixels of a picture; see `sides`."""
    height, width = sides(source)
    return height * width


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
def opened(file: BufferedReader | BytesIO, source: str, smallest: int = MIN_SIDE) -> Iterator[Image.Image]:
    """Open a file with Pillow, without decoding it; errors inside the block become `UnreadableError`."""
    try:
        with Image.open(file, formats=_known_formats()) as picture:
            _check_size(picture, source, smallest)
            yield picture
    except UserError:
        raise
    except Exception as error:  # Pillow's decoders raise all kinds of errors on bad data.
        raise UnreadableError(source, _diagnosis(error)) from error


def picture_suffixes() -> set[str]:
    """The suffixes of files in a supported format, in lower case, such as `.jpg`."""
    formats = _known_formats()
    return {suffix for suffix, name in Image.registered_extensions().items() if name in formats}


def quieten_pillow() -> None:
    """Ignore Pillow's warnings about oddities in files, but turn decompression bombs into errors."""
    # Set permanently for the whole process: `warnings.catch_warnings` is not thread-safe.
    warnings.filterwarnings("ignore", module=r"PIL\.")
    warnings.filterwarnings("error", category=Image.DecompressionBombWarning)


def _check_size(picture: Image.Image, source: str, smallest: int) -> None:
    if min(picture.size) < smallest:
        size = f"{picture.width} x {picture.height} pixels"
        raise UnreadableError(source, f"it is {size}, but the shorter side must be at least {smallest}")


def _diagnosis(error: Exception) -> str:
    if isinstance(error, UnidentifiedImageError):
        return f"not a picture in a supported format ({', '.join(_known_formats())})"
    if isinstance(error, Image.DecompressionBombError | Image.DecompressionBombWarning):
        limit = f"{(Image.MAX_IMAGE_PIXELS or 0) / 1e6:.3g} million"
        return f"it has more than {limit} pixels; make it smaller first"
    return f"damaged or truncated: {error}"


def _known_formats() -> list[str]:
    Image.init()
    return [name for name in _FORMATS if name in Image.OPEN]  # AVIF requires Pillow 11.3.
