"""The gAMA and cHRM chunks of PNG: transfer function and primaries of pictures without a colour profile.

W3C recommendation "Portable Network Graphics", third edition, sections 4.3 and 11.3.2.
"""

import numpy as np
from absl import logging
from jaxtyping import Float, Float32
from PIL import Image

from nst_jax.images.srgb import srgb_decoded, srgb_encoded

_SRGB_GAMMA = 0.45455  # 1/2.2, as chunks store it
_GAMMA_TOLERANCE = 0.05  # relative, as of libpng: 1/2.2 stands for sRGB's own curve
_SRGB_CHROMATICITIES = (0.3127, 0.329, 0.64, 0.33, 0.3, 0.6, 0.15, 0.06)  # x, y of white, red, green, blue
_CHROMATICITY_TOLERANCE = 0.002  # programs round sRGB's in different ways
# From XYZ to responses of cones, in which white is adapted.
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])


def has_colorimetry(picture: Image.Image) -> bool:
    """Whether a picture states a transfer function or primaries that differ from sRGB's.

    A colour profile or an sRGB chunk takes precedence.
    """
    if "srgb" in picture.info or picture.info.get("icc_profile"):
        return False
    gamma, chromaticities = _stated(picture)
    return gamma != _SRGB_GAMMA or chromaticities != _SRGB_CHROMATICITIES


def from_colorimetry(
    colour: Float[np.ndarray, "h w 3"], picture: Image.Image, source: str
) -> Float32[np.ndarray, "h w 3"]:
    """Convert the colours of `picture` to sRGB; chunks that make no sense are ignored with a warning."""
    gamma, chromaticities = _stated(picture)
    try:
        # Chunks may hold any numbers; what is not finite is ignored below.
        with np.errstate(all="ignore"):
            to_srgb = np.linalg.solve(_to_xyz(_SRGB_CHROMATICITIES), _to_xyz(chromaticities))
    except np.linalg.LinAlgError:
        to_srgb = np.full((3, 3), np.nan)
    if not (np.isfinite(to_srgb).all() and 0.01 <= gamma <= 100):
        logging.warning("%s: ignoring its gAMA and cHRM chunks, which are invalid", source)
        return np.asarray(colour, np.float32)
    linear = srgb_decoded(colour) if gamma == _SRGB_GAMMA else colour ** np.float32(1 / gamma)
    if chromaticities != _SRGB_CHROMATICITIES:
        linear = linear @ to_srgb.T.astype(np.float32)
    return srgb_encoded(np.clip(linear, 0, 1)).astype(np.float32)


def _stated(picture: Image.Image) -> tuple[float, tuple[float, ...]]:
    """Gamma and chromaticities, exactly sRGB's if they are close to them or missing."""
    gamma = picture.info.get("gamma", _SRGB_GAMMA)
    if abs(gamma / _SRGB_GAMMA - 1) <= _GAMMA_TOLERANCE:
        gamma = _SRGB_GAMMA
    chromaticities = tuple(picture.info.get("chromaticity", _SRGB_CHROMATICITIES))
    if np.allclose(chromaticities, _SRGB_CHROMATICITIES, rtol=0, atol=_CHROMATICITY_TOLERANCE):
        chromaticities = _SRGB_CHROMATICITIES
    return gamma, chromaticities


def _to_xyz(chromaticities: tuple[float, ...]) -> Float[np.ndarray, "3 3"]:
    """The matrix from linear RGB to XYZ, with white adapted to sRGB's by the Bradford transform."""
    white, *primaries = (_xyz(x, y) for x, y in np.reshape(chromaticities, (4, 2)))
    columns = np.stack(primaries, axis=1)
    matrix = columns * np.linalg.solve(columns, white)
    cones = (_BRADFORD @ _xyz(*_SRGB_CHROMATICITIES[:2])) / (_BRADFORD @ white)
    return np.linalg.solve(_BRADFORD, cones[:, np.newaxis] * _BRADFORD) @ matrix


def _xyz(x: float, y: float) -> Float[np.ndarray, "3"]:
    return np.array([x, y, 1 - x - y]) / y
