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
COLORLESS = 6e-5  # a style is nearly gray if all (co)variances of its A and B are below
PASSES = 5  # of the bilateral filter
FALLOFF = 10.0  # of its weights, per unit of lightness


def recolored(
    result: Float[np.ndarray, "1 h w 3"],
    content: Float[np.ndarray, "1 h w 3"],
    styles: Sequence[Float[np.ndarray, "1 _ _ 3"]],
) -> Float[np.ndarray, "1 h w 3"]:
    """Return `result` with the palette of the `styles`, within [0, 1].

    The hues are the content's, mapped to the mean and covariance of the style's, and smoothed where the
    lightness of the result is smooth. If the style is nearly gray, the hues and the lightness of the result
    are mapped together to its mean and covariance. Each coordinate is clipped to its range in the style.
    """
    painted, photo = (to_oklab(picture[0].astype(np.float64)) for picture in (result, content))
    style = np.concatenate([to_oklab(picture.reshape(-1, 3).astype(np.float64)) for picture in styles])
    # No colour beyond those of the style.
    low, high = style.min(0), style.max(0)
    lightness, hues = np.clip(painted[..., :1], low[0], high[0]), style[:, 1:]
    if np.all(np.abs(np.cov(hues.T)) < COLORLESS):
        whole = with_covariance(np.concatenate([lightness, painted[..., 1:]], axis=-1), style)
    else:
        mapped = with_covariance(photo[..., 1:], hues)
        whole = np.concatenate([lightness, smoothed(mapped, lightness)], axis=-1)
    return np.clip(from_oklab(np.clip(whole, low, high)), 0, 1).astype(np.float32)[np.newaxis]


def with_covariance(
    colors: Float[np.ndarray, "h w n"], target: Float[np.ndarray, "m n"]
) -> Float[np.ndarray, "h w n"]:
    """Map `colors` linearly to the mean and covariance of `target`: whitened by its symmetric root (ZCA)."""
    flat = colors.reshape(-1, colors.shape[-1])
    white = (flat - flat.mean(0)) @ _root_of_covariance(flat, -0.5)
    return (white @ _root_of_covariance(target, 0.5) + target.mean(0)).reshape(colors.shape)


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


def _root_of_covariance(rows: Float[np.ndarray, "m n"], power: float) -> Float[np.ndarray, "n n"]:
    centered = rows - rows.mean(0)
    values, vectors = np.linalg.eigh(centered.T @ centered / len(rows) + EPSILON * np.eye(rows.shape[1]))
    return vectors @ np.diag(values**power) @ vectors.T
