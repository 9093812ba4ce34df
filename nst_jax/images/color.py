"""Colour control: the style recoloured like the content, or luminance alone transferred.

Gatys et al. 2017, "Controlling Perceptual Factors in Neural Style Transfer" (arXiv 1611.07865), section 5.
"""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float

from nst_jax.images.oklab import from_oklab, to_oklab
from nst_jax.images.srgb import srgb_decoded, srgb_encoded

Picture = Float[np.ndarray, "1 _ _ 3"]
Covariance = Float[np.ndarray, "3 3"]

LUMA = np.array([0.299, 0.587, 0.114])  # of red, green and blue: ITU-R BT.601
# YUV: the luminance Y, 0.492 (B - Y) and 0.877 (R - Y). Neither the rows nor the inverse are the rounded
# constants in circulation, so that a gray has no chroma and colours survive the way there and back.
RGB_TO_YUV = np.stack([LUMA, 0.492 * ([0, 0, 1] - LUMA), 0.877 * ([1, 0, 0] - LUMA)])
YUV_TO_RGB = np.linalg.inv(RGB_TO_YUV)
GRAY = 4 / 255  # the largest difference of channels in a gray picture, which compression may have tinted
LUMA_ERROR = 1e-4  # below a level of 8 bits
EPSILON = 1e-5  # added to variances, so that pictures of one colour have an inverse


def luminance(picture: Picture) -> Picture:
    """Return the gray picture with the luminance of `picture` in all three channels."""
    gray = picture @ LUMA.astype(picture.dtype)
    return np.repeat(gray[..., np.newaxis], 3, axis=-1)


def is_gray(picture: Picture) -> bool:
    """Return whether a picture has no colours, up to the noise of compression."""
    return bool(np.ptp(picture, axis=-1).max() <= GRAY)


def match_moments(picture: Picture, target: Picture) -> Picture:
    """Shift and scale each channel of `picture` to the mean and standard deviation of `target`; clipped."""
    axes = (0, 1, 2)
    scale = target.std(axes) / np.sqrt(picture.var(axes) + np.float32(EPSILON**2))
    return np.clip((picture - picture.mean(axes)) * scale + target.mean(axes), 0, 1)


def with_chroma(luminance: Picture, colored: Picture) -> Picture:
    """Return the picture with the luminance of one picture and the chroma of another.

    The luminance is the mean of the channels of the first picture, within [0, 1]. Where the colour would not
    be, its chroma is lower, as little as the luminance allows, and its hue in OkLab is kept.
    """
    chroma = colored @ RGB_TO_YUV[1:].T @ YUV_TO_RGB[:, 1:].T
    lightest, darkest = 1 - chroma.max(-1, keepdims=True), -chroma.min(-1, keepdims=True)
    wanted = np.clip(luminance.mean(-1, keepdims=True), 0, 1)
    gray = np.clip(wanted, darkest, lightest)
    picture = np.clip(gray + chroma, 0, 1)
    outside = (np.abs(wanted - gray) > LUMA_ERROR)[..., 0]
    picture[outside] = _faded(picture[outside], wanted[outside])
    return picture.astype(np.float32)


def _faded(colors: Float[np.ndarray, "n 3"], luma: Float[np.ndarray, "n 1"]) -> Float[np.ndarray, "n 3"]:
    """Mix colours at the border of the cube with white or black in OkLab, until they have the `luma`.

    Lines of constant hue from there to white and black run along the border, and leave it by little.
    """
    lab = to_oklab(srgb_decoded(colors.astype(np.float64)))
    lighter = luma > colors @ LUMA[:, np.newaxis]
    end = lighter * np.array([1.0, 0.0, 0.0])
    low, high = np.zeros_like(luma, np.float64), np.ones_like(luma, np.float64)
    while len(luma) and np.max(high - low) > LUMA_ERROR:
        middle = (low + high) / 2
        mixed = np.clip(srgb_encoded(from_oklab(lab + middle * (end - lab))), 0, 1)
        short = (mixed @ LUMA[:, np.newaxis] < luma) == lighter
        low, high = np.where(short, middle, low), np.where(short, high, middle)
    return np.clip(srgb_encoded(from_oklab(lab + high * (end - lab))), 0, 1)


def match_colors(picture: Picture, target: Picture, how: str) -> Picture:
    """Transform the colours of `picture` to the mean and covariance of those of `target`; clipped.

    `how` is a key of `MATCHES`: equation 6 leaves the map free up to a rotation, which each of them fixes.
    """
    source, wanted = (image.reshape(-1, 3).astype(np.float64) for image in (picture, target))
    transform = MATCHES[how](_covariance(source), _covariance(wanted))
    matched = (source - source.mean(0)) @ transform.T + wanted.mean(0)
    return np.clip(matched.reshape(picture.shape), 0, 1).astype(np.float32)


def _symmetric(source: Covariance, target: Covariance) -> Covariance:
    """The symmetric map, which moves colours least: optimal transport between Gaussians."""
    root = _root(source)
    inverse = np.linalg.inv(root)
    return inverse @ _root(root @ target @ root) @ inverse


MATCHES: dict[str, Callable[[Covariance, Covariance], Covariance]] = {
    # By Cholesky factors, which depend on the order of the channels.
    "chol": lambda source, target: np.linalg.cholesky(target) @ np.linalg.inv(np.linalg.cholesky(source)),
    # By symmetric roots, as in image analogies (Hertzmann 2001).
    "pca": lambda source, target: _root(target) @ np.linalg.inv(_root(source)),
    "sym": _symmetric,
}
COLORS = ("style", "luminance", *MATCHES)  # values of the config field `color`


def _covariance(colors: Float[np.ndarray, "n 3"]) -> Covariance:
    centered = colors - colors.mean(0)
    return centered.T @ centered / len(colors) + EPSILON * np.eye(3)


def _root(matrix: Covariance) -> Covariance:
    """The symmetric square root of a positive definite matrix."""
    values, vectors = np.linalg.eigh(matrix)
    return vectors @ np.diag(np.sqrt(np.maximum(values, 0))) @ vectors.T
