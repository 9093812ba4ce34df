"""Pictures in and out of files.

The convention, everywhere in this package: a picture is a NumPy array of float32 in [0, 1],
sRGB-encoded RGB, in a batch of one: shape `1 h w 3` (NHWC). `read` makes that of any file.
"""

import contextlib
import functools
import os
import warnings
from collections.abc import Iterator, Mapping
from importlib import resources
from io import BufferedReader, BytesIO
from pathlib import Path

import numpy as np
from absl import logging
from jaxtyping import Float, Float32
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError
from PIL.PngImagePlugin import PngInfo

from nst_jax import files
from nst_jax.errors import UserError, unknown

SAMPLE_PREFIX = "sample:"
# The colour photographs in scikit-image's wheel; it downloads others, which we leave alone.
PHOTOS = (
    *("astronaut", "chelsea", "coffee", "hubble_deep_field", "ihc"),
    *("motorcycle_left", "motorcycle_right", "retina", "rocket"),
)
MIN_SIDE = 16  # VGG halves the picture four times before its last style layer.

# Named one by one because Pillow also reads EPS, by running Ghostscript: unsafe for a stranger's file.
_FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "TIFF", "BMP", "PPM", "AVIF", "JPEG2000", "TGA", "ICO")
_FULL_SCALES = (1.0, 255.0, 65535.0, 2.0**31 - 1)
# Pillow's channels beyond 8 bits; only gray has them (it brings 16-bit RGB down to 8 bits itself).
_DEEP_MODES = ("I;16", "I;16B", "I;16L", "I;16N", "I", "F")
_GRAY_MODES = ("1", "L", "LA", "La")


class UnreadableError(UserError):
    """A file that is no picture we can read."""

    def __init__(self, source: str, why: object) -> None:
        """`why` is kept apart from the whole message."""
        self.why = " ".join(str(why).split())
        super().__init__(f"cannot read {source!r}: {self.why}")


def read(source: str) -> Float32[np.ndarray, "1 h w 3"]:
    """The picture at a path, or the bundled picture `sample:NAME`, upright, in sRGB, over white.

    The EXIF orientation and the colour profile are applied; an animation gives its first frame.

    Raises:
        UserError: the file is missing, unreadable, not a picture, damaged, too small or too large;
            or there is no such sample.
    """
    quieten_pillow()
    with open_file(locate(source), source) as file, opened(file, source) as picture:
        return _to_floats(ImageOps.exif_transpose(picture), source)[np.newaxis].astype(np.float32)


def write(
    path: str | os.PathLike[str],
    image: Float[np.ndarray, "1 h w 3"],
    text: Mapping[str, str] | None = None,
) -> None:
    """Write an 8-bit PNG, atomically, with `text` in its text chunks; values are clipped to [0, 1].

    Raises:
        UserError: the file cannot be written.
    """
    info = PngInfo()
    for key, value in (text or {}).items():
        info.add_text(key, value)  # An iTXt chunk where Latin-1 does not reach.
    with files.atomic(path) as temporary:
        Image.fromarray(_to_bytes(image[0])).save(temporary, format="PNG", pnginfo=info)


def resize(
    image: Float[np.ndarray, "1 h w 3"], height: int, width: int
) -> Float32[np.ndarray, "1 {height} {width} 3"]:
    """Lanczos resampling, antialiased, in float32; the overshoot beside edges is clipped to [0, 1].

    It works on the sRGB values, not on linear light, because the papers' networks and results do.
    """
    planes = [Image.fromarray(np.asarray(image[0, :, :, c], np.float32)) for c in range(3)]
    resized = [plane.resize((width, height), Image.Resampling.LANCZOS) for plane in planes]
    return np.stack([np.asarray(plane) for plane in resized], axis=-1)[np.newaxis].clip(0, 1)


def fit(image: Float[np.ndarray, "1 h w 3"], longer_side: int) -> Float32[np.ndarray, "1 h2 w2 3"]:
    """Resize to `longer_side` pixels, keeping the aspect ratio to the nearest pixel."""
    return resize(image, *fitted(image.shape[1:3], longer_side))


def fitted(size: tuple[int, ...], longer_side: int) -> tuple[int, int]:
    """Height and width after `fit`."""
    scale = longer_side / max(size)
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def sample_names() -> tuple[str, ...]:
    """What `read` takes after `sample:`: photographs to paint, and paintings to paint them like."""
    return tuple(sorted(_samples()))


@functools.cache
def _samples() -> dict[str, Path]:
    """Photographs in scikit-image's wheel; paintings, by scripts/paint_samples.py, in ours."""
    photos = Path(str(resources.files("skimage.data")))
    paintings = Path(str(resources.files("nst_jax"))) / "samples"
    paths = [path for name in PHOTOS for path in photos.glob(f"{name}.*")]
    return {path.stem: path for path in [*paths, *paintings.glob("*.jpg")]}


def locate(source: str) -> Path:
    """The file behind a path or `sample:NAME`."""
    if not source.startswith(SAMPLE_PREFIX):
        return Path(os.path.expanduser(source))
    name = source.removeprefix(SAMPLE_PREFIX)
    if name in _samples():
        return _samples()[name]
    raise unknown("sample picture", source, [SAMPLE_PREFIX + name for name in sample_names()])


def open_file(path: Path, source: str) -> BufferedReader:
    """A file to read, which errors call `source`."""
    try:
        if path.is_dir():
            why = "it is a folder"
        elif path.exists() and not path.is_file():
            why = "it is not a regular file"  # Opening a pipe would wait for ever.
        elif path.stat().st_size == 0:
            why = "the file is empty"
        else:
            return path.open("rb")
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
    raise UnreadableError(source, why)


@contextlib.contextmanager
def opened(file: BufferedReader | BytesIO, source: str) -> Iterator[Image.Image]:
    """Pillow's picture of a file, its pixels not yet decoded; what fails inside is `UnreadableError`."""
    try:
        with Image.open(file, formats=_known_formats()) as picture:
            _check_size(picture, source)
            yield picture
    except UserError:
        raise
    except Exception as error:  # Pillow's decoders meet bad bytes with errors of every kind.
        raise UnreadableError(source, _diagnosis(error)) from error


def quieten_pillow() -> None:
    """Oddities that Pillow can live with are not the user's to mend; a decompression bomb is."""
    # For the whole process and for good: `warnings.catch_warnings` is not safe where threads decode.
    warnings.filterwarnings("ignore", module=r"PIL\.")
    warnings.filterwarnings("error", category=Image.DecompressionBombWarning)


def _check_size(picture: Image.Image, source: str) -> None:
    if min(picture.size) < MIN_SIDE:
        small = f"it is {picture.width} x {picture.height} pixels, less than {MIN_SIDE} on the shorter side"
        raise UnreadableError(source, small)


def _diagnosis(error: Exception) -> str:
    if isinstance(error, UnidentifiedImageError):
        return f"not a picture in a known format ({', '.join(_known_formats())})"
    if isinstance(error, Image.DecompressionBombError | Image.DecompressionBombWarning):
        limit = f"{(Image.MAX_IMAGE_PIXELS or 0) / 1e6:.3g} million"
        return f"it has more than {limit} pixels, make it smaller first"
    return f"damaged or cut short: {error}"


def _known_formats() -> list[str]:
    Image.init()
    return [name for name in _FORMATS if name in Image.OPEN]  # AVIF came with Pillow 11.3.


def to_rgb(picture: Image.Image, source: str) -> Image.Image:
    """A Pillow picture of any mode as 8-bit sRGB, over white: what `read` gives, rounded."""
    if picture.mode in _DEEP_MODES or picture.has_transparency_data:
        return Image.fromarray(_to_bytes(_to_floats(picture, source)))
    return _to_srgb(picture, source)


def _to_floats(picture: Image.Image, source: str) -> np.ndarray:
    """A Pillow picture of any mode as floats, `h w 3`; what is transparent shows white."""
    if picture.mode in _DEEP_MODES:
        gray = _unit_range(picture)
        return np.stack([gray, gray, gray], axis=-1)
    colour = np.asarray(_to_srgb(picture, source), np.float32) / 255
    if not picture.has_transparency_data:
        return colour
    alpha = np.asarray(picture.convert("RGBA").getchannel("A"), np.float32)[:, :, np.newaxis] / 255
    return colour * alpha + (1 - alpha)


def _unit_range(picture: Image.Image) -> np.ndarray:
    """A deep gray picture scaled to [0, 1].

    32-bit files do not say what white is: it is the least usual full scale that holds the
    brightest pixel, or nearly (float pictures overshoot 1 a little). A colour profile is ignored
    here: lcms, as Pillow has it, wants 8 bits.
    """
    values = np.asarray(picture).astype(np.float64)
    if not np.isfinite(values).all():
        raise ValueError("some pixels are not finite numbers")
    if picture.mode.startswith("I;16"):
        return values / 65535
    white = next((scale for scale in _FULL_SCALES if values.max() <= 1.5 * scale), values.max())
    return np.clip(values / white, 0, 1)


def _to_srgb(picture: Image.Image, source: str) -> Image.Image:
    """The colours, without alpha, as 8-bit sRGB; a profile that does not work is ignored."""
    embedded = picture.info.get("icc_profile")
    if embedded:
        try:
            return _apply_profile(picture, ImageCms.ImageCmsProfile(BytesIO(embedded)))
        except (OSError, ValueError, ImageCms.PyCMSError) as error:
            logging.warning("%s: ignoring its colour profile (%s)", source, " ".join(str(error).split()))
    return picture.convert("RGB")


def _apply_profile(picture: Image.Image, profile: ImageCms.ImageCmsProfile) -> Image.Image:
    space = profile.profile.xcolor_space.strip()
    if space == "RGB" and picture.mode not in ("CMYK", "LAB"):
        picture = picture.convert("RGB")  # Gray and palette pictures also carry RGB profiles.
    elif space == "GRAY" and picture.mode in _GRAY_MODES:
        picture = picture.convert("L")
    elif space != picture.mode:
        raise ValueError(f"it is for {space}, the picture is {picture.mode}")
    transform = ImageCms.buildTransform(
        profile,
        ImageCms.createProfile("sRGB"),
        picture.mode,
        "RGB",
        ImageCms.Intent.RELATIVE_COLORIMETRIC,
        ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )
    return transform.apply(picture)


def _to_bytes(image: np.ndarray) -> np.ndarray:
    return np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8)
