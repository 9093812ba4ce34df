"""Conversion of decoded pictures of any mode, depth and colour profile to sRGB."""

from io import BytesIO

import numpy as np
from absl import logging
from jaxtyping import Float32
from PIL import Image, ImageCms

from nst_jax.images.backgrounds import over_background
from nst_jax.images.levels import to_unit
from nst_jax.images.png_colorimetry import from_colorimetry, has_colorimetry
from nst_jax.images.tiff import DeepTiff, Samples
from nst_jax.images.tiff_pages import MIN_IS_WHITE, PHOTOMETRIC
from nst_jax.images.tiff_samples import BITS, SAMPLE_FORMAT
from nst_jax.images.writing import to_bytes

# All Pillow modes with more than 8 bits are gray; Pillow itself reduces 16-bit RGB to 8 bits.
_DEEP_MODES = ("I;16", "I;16B", "I;16L", "I;16N", "I", "F")
_GRAY_MODES = ("1", "L", "LA", "La")
# Profiles that LittleCMS would apply with rounding errors, and that cost the depth of deep pictures.
_SRGB_PROFILES = ("sRGB", "sRGB built-in", "sRGB IEC61966-2.1")
_PREMULTIPLIED = {"La": "LA", "RGBa": "RGBA"}


def to_rgb(picture: Image.Image | DeepTiff, source: str) -> Image.Image:
    """Convert to 8-bit sRGB, as `to_floats` does."""
    if (
        isinstance(picture, DeepTiff)
        or picture.mode in _DEEP_MODES
        or picture.has_transparency_data
        or has_colorimetry(picture)
    ):
        return Image.fromarray(to_bytes(to_floats(picture, source)))
    return _to_srgb(picture, source)


def to_floats(picture: Image.Image | DeepTiff, source: str, factor: int = 1) -> Float32[np.ndarray, "h w 3"]:
    """Decode, and convert to sRGB in [0, 1], as stored: not turned upright; sides are reduced by `factor`.

    Transparent parts become white, unless the outline would vanish on it; see `over_background`.
    """
    return _blended(*colour_and_alpha(picture, source, factor), source)


def colour_and_alpha(
    picture: Image.Image | DeepTiff, source: str, factor: int = 1
) -> tuple[Float32[np.ndarray, "h w 3"], Float32[np.ndarray, "h w"] | None]:
    """As `to_floats`, with the colours below transparent parts; alpha is None if there is none."""
    decoded = picture.decode() if isinstance(picture, DeepTiff) else picture
    if isinstance(decoded, Samples):
        return _of_samples(decoded, source, factor)
    if decoded.mode in _DEEP_MODES:
        colour, alpha = _of_samples(_deep_samples(decoded), source, factor)
    else:
        if decoded.mode in _PREMULTIPLIED:
            decoded = decoded.convert(_PREMULTIPLIED[decoded.mode])
        decoded = _reduced(decoded, factor) if factor > 1 else decoded
        colour = _unit(_to_srgb(decoded, source))
        has_alpha = decoded.has_transparency_data
        alpha = _unit(decoded.convert("RGBA").getchannel("A")) if has_alpha else None
    if has_colorimetry(decoded):
        colour = from_colorimetry(colour, decoded, source)
    return colour, alpha


def samples_to_floats(picture: Samples, source: str) -> Float32[np.ndarray, "h w 3"]:
    """As `to_floats`; a profile other than sRGB leaves 8 bits, which LittleCMS in Pillow is limited to."""
    return _blended(*_of_samples(picture, source, 1), source)


def _of_samples(
    picture: Samples, source: str, factor: int
) -> tuple[Float32[np.ndarray, "h w 3"], Float32[np.ndarray, "h w"] | None]:
    colour = to_unit(picture.colour, source, picture.white, factor)
    colour = 1 - colour if picture.is_inverted else colour
    alpha = None if picture.alpha is None else to_unit(picture.alpha, source, picture.white, factor)
    if picture.is_premultiplied and alpha is not None:
        # Where nothing is opaque, the colour is not seen: any will do.
        colour = np.clip(colour / np.maximum(alpha, 1e-6), 0, 1)
    if picture.profile and not _is_srgb(picture.profile):
        squeezed = Image.fromarray(to_bytes(colour[..., 0] if colour.shape[-1] == 1 else colour))
        squeezed.info["icc_profile"] = picture.profile
        colour = _unit(_to_srgb(squeezed, source))
    colour = np.broadcast_to(colour, (*colour.shape[:2], 3))
    return colour, None if alpha is None else alpha[..., 0]


def _blended(colour: np.ndarray, alpha: np.ndarray | None, source: str) -> Float32[np.ndarray, "h w 3"]:
    return colour if alpha is None else over_background(colour, alpha, source)


def _deep_samples(picture: Image.Image) -> Samples:
    """The samples of a gray picture; those of a TIFF are as its tags say, which Pillow does not apply."""
    values = np.asarray(picture)[..., np.newaxis]
    tags = getattr(picture, "tag_v2", None)
    if tags is None:
        return Samples(values)
    bits, sample_format = tags.get(BITS, (1,))[0], tags.get(SAMPLE_FORMAT, (1,))[0]
    # Pillow reads unsigned numbers of 32 bits as signed ones.
    if picture.mode == "I" and (bits, sample_format) == (32, 1):
        values = values.view(np.uint32)
    white = 2.0**bits - 1 if bits < 16 else None
    return Samples(values, white=white, is_inverted=tags.get(PHOTOMETRIC) == MIN_IS_WHITE)


def _unit(picture: Image.Image) -> Float32[np.ndarray, "h w *c"]:
    values = np.array(picture, np.float32)
    values /= 255  # in place: a picture may take much of the memory
    return values


def _reduced(picture: Image.Image, factor: int) -> Image.Image:
    """Average blocks of pixels; colours that are indices or keys for transparency are resolved first."""
    if picture.mode == "1":
        picture = picture.convert("L")
    elif picture.mode in ("P", "PA") or "transparency" in picture.info:
        picture = picture.convert("RGBA" if picture.has_transparency_data else "RGB")
    return Image.Image.reduce(picture, factor)  # JPEG 2000's pictures have a property of the same name


def _to_srgb(picture: Image.Image, source: str) -> Image.Image:
    """Convert the colours, without alpha, to 8-bit sRGB; an invalid profile is ignored with a warning."""
    embedded = picture.info.get("icc_profile")
    if embedded and not (_is_srgb(embedded) and picture.mode not in ("CMYK", "LAB")):
        try:
            return _apply_profile(picture, ImageCms.ImageCmsProfile(BytesIO(embedded)))
        except (OSError, ValueError, ImageCms.PyCMSError) as error:
            logging.warning("%s: ignoring its colour profile (%s)", source, " ".join(str(error).split()))
    return picture.convert("RGB")


def _is_srgb(profile: bytes) -> bool:
    try:
        return ImageCms.getProfileDescription(BytesIO(profile)).strip() in _SRGB_PROFILES
    except (OSError, ValueError, ImageCms.PyCMSError):
        return False


def _apply_profile(picture: Image.Image, profile: ImageCms.ImageCmsProfile) -> Image.Image:
    space = profile.profile.xcolor_space.strip().upper()
    if space == "RGB" and picture.mode not in ("CMYK", "LAB"):
        picture = picture.convert("RGB")  # Gray and palette pictures also carry RGB profiles.
    elif space == "GRAY" and picture.mode in _GRAY_MODES:
        picture = picture.convert("L")
    elif space != picture.mode:
        raise ValueError(f"it is for {space}, but the picture is {picture.mode}")
    transform = ImageCms.buildTransform(
        profile,
        ImageCms.createProfile("sRGB"),
        picture.mode,
        "RGB",
        ImageCms.Intent.RELATIVE_COLORIMETRIC,
        ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )
    return transform.apply(picture)
