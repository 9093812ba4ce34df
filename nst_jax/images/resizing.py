"""Resizing of pictures."""

import numpy as np
from jaxtyping import Float, Float32
from PIL import Image


def resize(
    image: Float[np.ndarray, "1 h w 3"], height: int, width: int
) -> Float32[np.ndarray, "1 {height} {width} 3"]:
    """Resize by antialiased Lanczos resampling in float32; overshoot at edges is clipped to [0, 1].

    It operates on sRGB values, not on linear light, because the papers' networks and results do.
    """
    planes = [Image.fromarray(np.asarray(image[0, :, :, c], np.float32)) for c in range(3)]
    resized = [plane.resize((width, height), Image.Resampling.LANCZOS) for plane in planes]
    return np.stack([np.asarray(plane) for plane in resized], axis=-1)[np.newaxis].clip(0, 1)


def fit(image: Float[np.ndarray, "1 h w 3"], longer_side: int) -> Float32[np.ndarray, "1 h2 w2 3"]:
    """Resize to `longer_side` pixels, keeping the aspect ratio to the nearest pixel."""
    return resize(image, *fitted(image.shape[1:3], longer_side))


def fitted(size: tuple[int, ...], longer_side: int) -> tuple[int, int]:
    """Height and width of the result of `fit`."""
    scale = longer_side / max(size)
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))
