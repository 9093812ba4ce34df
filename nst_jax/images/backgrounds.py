"""Transparent pictures on a background on which their shape stays visible."""

import numpy as np
from absl import logging
from jaxtyping import Float, Float32
from PIL import Image, ImageFilter

_BACKGROUNDS = {"white": 1.0, "black": 0.0, "middle gray": 0.5}  # in order of preference
_VISIBLE = 0.15  # the least difference in one channel between an outline and its background
_MOST_LOST = 0.05  # the share of the outline that may be invisible


def over_background(
    colour: Float[np.ndarray, "h w 3"], alpha: Float[np.ndarray, "h w"], source: str
) -> Float32[np.ndarray, "h w 3"]:
    """Blend a picture with the first background on which nearly all of its outline is visible.

    If there is none, the background loses the least. Any but white is mentioned.
    """
    # The opacity of each pixel times the largest transparency among its neighbours.
    opaque = Image.fromarray(np.rint(np.clip(alpha, 0, 1) * 255).astype(np.uint8))
    least = np.asarray(opaque.filter(ImageFilter.MinFilter(3)), np.float32) / 255
    outline = np.where(alpha > least, alpha * (1 - least), 0)
    lost = {name: _lost(colour, outline, gray) for name, gray in _BACKGROUNDS.items()}
    name = next((name for name in lost if lost[name] <= _MOST_LOST), min(lost, key=lambda name: lost[name]))
    if name != "white":
        logging.warning(
            "%s: %.0f %% of its outline is invisible on white; its transparent parts become %s",
            *(source, 100 * lost["white"], name),
        )
    weight = alpha[..., np.newaxis].astype(np.float32)
    return (colour * weight + np.float32(_BACKGROUNDS[name]) * (1 - weight)).astype(np.float32)


def _lost(colour: Float[np.ndarray, "h w 3"], outline: Float[np.ndarray, "h w"], gray: float) -> float:
    """The share of the outline that can hardly be told from a background of `gray`."""
    hidden = np.abs(colour - np.float32(gray)).max(-1) < _VISIBLE
    # A picture that is opaque everywhere has no outline.
    return float((outline * hidden).sum() / max(outline.sum(), 1e-12))
