"""Pillow pictures of every mode and colour profile, brought to sRGB."""

from io import BytesIO

import numpy as np
from absl import logging
from PIL import Image, ImageCms

from nst_jax.images.writing import to_bytes

_FULL_SCALES = (1.0, 255.0, 65535.0, 2.0**31 - 1)
# Pillow's modes beyond 8 bits are all gray; it reduces 16-bit RGB to 8 bits itself.
_DEEP_MODES = ("I;16", "I;16B", "I;16L", "I;16N", "I", "F")
_GRAY_MODES = ("1", "L", "LA", "La")


def to_rgb(picture: Image.Image, source: str) -> Image.Image:
    """A Pillow picture of any mode as 8-bit sRGB, over white: what `read` gives, rounded."""
    if picture.mode in _DEEP_MODES or picture.has_transparency_data:
        return Image.fromarray(to_bytes(to_floats(picture, source)))
    return _to_srgb(picture, source)


def to_floats(picture: Image.Image, source: str) -> np.ndarray:
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
