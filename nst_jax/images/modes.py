"""Conversion of Pillow images of any mode and colour profile to sRGB."""

from io import BytesIO

import numpy as np
from absl import logging
from PIL import Image, ImageCms

from nst_jax.images.writing import to_bytes

_FULL_SCALES = (1.0, 255.0, 65535.0, 2.0**31 - 1)  # white levels of 32-bit files, see `_unit_range`
# All Pillow modes with more than 8 bits are gray; Pillow itself reduces 16-bit RGB to 8 bits.
_DEEP_MODES = ("I;16", "I;16B", "I;16L", "I;16N", "I", "F")
_GRAY_MODES = ("1", "L", "LA", "La")


def to_rgb(picture: Image.Image, source: str) -> Image.Image:
    """Convert to 8-bit sRGB on a white background: the result of `read`, rounded."""
    if picture.mode in _DEEP_MODES or picture.has_transparency_data:
        return Image.fromarray(to_bytes(to_floats(picture, source)))
    return _to_srgb(picture, source)


def to_floats(picture: Image.Image, source: str) -> np.ndarray:
    """Convert to sRGB floats in [0, 1], `h w 3`, on a white background."""
    if picture.mode in _DEEP_MODES:
        gray = _unit_range(picture)
        return np.stack([gray, gray, gray], axis=-1)
    colour = np.asarray(_to_srgb(picture, source), np.float32) / 255
    if not picture.has_transparency_data:
        return colour
    alpha = np.asarray(picture.convert("RGBA").getchannel("A"), np.float32)[:, :, np.newaxis] / 255
    return colour * alpha + (1 - alpha)


def _unit_range(picture: Image.Image) -> np.ndarray:
    """Scale a gray picture of more than 8 bits to [0, 1].

    32-bit files do not state their white level. It is taken as the smallest common full scale that holds the
    brightest pixel, with a margin because float pictures may overshoot 1. Colour profiles are ignored here:
    Pillow's interface to LittleCMS supports 8 bits only.
    """
    values = np.asarray(picture).astype(np.float64)
    if not np.isfinite(values).all():
        raise ValueError("some pixels are not finite numbers")
    if picture.mode.startswith("I;16"):
        return values / 65535
    white = next((scale for scale in _FULL_SCALES if values.max() <= 1.5 * scale), values.max())
    return np.clip(values / white, 0, 1)


def _to_srgb(picture: Image.Image, source: str) -> Image.Image:
    """Convert the colours, without alpha, to 8-bit sRGB; an invalid profile is ignored with a warning."""
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
