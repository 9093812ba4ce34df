"""The transfer function of sRGB (IEC 61966-2-1)."""

import numpy as np
from jaxtyping import Float


def srgb_encoded(linear: Float[np.ndarray, "*_"]) -> Float[np.ndarray, "*_"]:
    """Encode linear light in [0, 1]."""
    # Near black, the curve is a line: a power would have an infinite slope at 0.
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * np.maximum(linear, 0) ** (1 / 2.4) - 0.055)


def srgb_decoded(encoded: Float[np.ndarray, "*_"]) -> Float[np.ndarray, "*_"]:
    """Return the linear light of sRGB values in [0, 1]."""
    return np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
