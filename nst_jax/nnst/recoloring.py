"""The last step of NNST: lightness from the result, hues from the content with the style's distribution.

Kolkin et al. 2022 (arXiv 2203.13215), section 4.4 and the released code, which converts sRGB to OkLab as if
it were linear; so does this.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from nst_jax.images.oklab import from_oklab, to_oklab

Hues = Float[np.ndarray, "h w 2"]
EPSILON = 1e-4  # added to variances
COLORLESS = 6e-5  # a style all of whose (co)variances of A and B are below
PASSES = 5  # of the bilateral filter
FALLOFF = 10.0  # of its weights, per unit of lightness


def recolored(
    result: Float[np.ndarray, "1 h w 3"],
    content: Float[np.ndarray, "1 h w 3"],
    styles: Sequence[Float[np.ndarray, "1 _ _ 3"]],
) -> Float[np.ndarray, "1 h w 3"]:
    """Return `result` with the palette of the `styles`, within [0, 1].

    The hues are the content's, mapped to the mean and covariance of the style's, and smoothed where the
    lightness of the result is smooth. If the style is almost gray, they are those of the result, with the
    style's mean and standard deviation. Each coordinate is clipped to the range that it has in the style.
    """
    painted, photo = (to_oklab(picture[0].astype(np.float64)) for picture in (result, content))
    style = np.concatenate([to_oklab(picture.reshape(-1, 3).astype(np.float64)) for picture in styles])
    low, high = style.min(0), style.max(0)
    painted = np.clip(painted, low, high)
    lightness, hues = painted[..., :1], style[:, 1:]
    if np.all(np.abs(np.cov(hues.T)) < COLORLESS):
        chosen = with_moments(painted[..., 1:], hues)
    else:
        chosen = smoothed(with_covariance(photo[..., 1:], hues), lightness)
    whole = np.clip(np.concatenate([lightness, chosen], axis=-1), low, high)
    return np.clip(from_oklab(whole), 0, 1).astype(np.float32)[np.newaxis]


def with_covariance(hues: Hues, target: Float[np.ndarray, "m 2"]) -> Hues:
    """Map `hues` linearly to the mean and covariance of `target`: whitened by its symmetric root (ZCA)."""
    flat = hues.reshape(-1, 2)
    white = (flat - flat.mean(0)) @ _root_of_covariance(flat, -0.5)
    return (white @ _root_of_covariance(target, 0.5) + target.mean(0)).reshape(hues.shape)


def with_moments(hues: Hues, target: Float[np.ndarray, "m 2"]) -> Hues:
    """Shift and scale each coordinate of `hues` to the mean and standard deviation of `target`."""
    flat = hues.reshape(-1, 2)
    scale = target.std(0) / np.sqrt(flat.var(0) + EPSILON**2)
    return (hues - flat.mean(0)) * scale + target.mean(0)


def smoothed(hues: Hues, lightness: Float[np.ndarray, "h w 1"]) -> Hues:
    """Average over 3 x 3 pixels five times; pixels of another lightness count less (bilateral filter)."""
    around = _neighbourhood(lightness)
    weights = [np.exp(-FALLOFF * np.abs(other - lightness)) for other in around]
    for _ in range(PASSES):
        parts = zip(weights, _neighbourhood(hues), strict=True)
        hues = sum((weight * part for weight, part in parts), start=np.zeros(())) / sum(weights)
    return hues


def _neighbourhood(values: Float[np.ndarray, "h w n"]) -> list[np.ndarray]:
    """The values of the 3 x 3 pixels around each pixel; those at the border are repeated beyond it."""
    padded = np.pad(values, ((1, 1), (1, 1), (0, 0)), mode="edge")
    height, width = values.shape[:2]
    return [padded[y : y + height, x : x + width] for y in range(3) for x in range(3)]


def _root_of_covariance(rows: Float[np.ndarray, "m 2"], power: float) -> Float[np.ndarray, "2 2"]:
    centered = rows - rows.mean(0)
    values, vectors = np.linalg.eigh(centered.T @ centered / len(rows) + EPSILON * np.eye(2))
    return vectors @ np.diag(values**power) @ vectors.T
