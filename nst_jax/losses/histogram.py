"""Histogram losses: each filter's activations drawn to those of the style with the same rank.

Risser, Wilmot & Barnes 2017 (arXiv 1701.08893). The paper matches histograms of 256 bins; here the match is
exact, and the loss is the mean over filters of the squared Wasserstein distances of their values.
"""

from jaxtyping import Array, Float

from nst_jax.losses.distribution import Distribution
from nst_jax.losses.quantiles import quantile_distance, quantiles


def filter_quantiles(style: Distribution, height: int, width: int) -> Float[Array, "n m"]:
    """Return as many quantiles of each filter as a result's layer of `height` x `width` has positions."""
    return quantiles(style.points.T, style.weights, height * width)


def histogram_distance(found: Distribution, target: Float[Array, "n m"]) -> Float[Array, ""]:
    """Return the mean squared difference from the target values of equal rank.

    The ranks are constant in the gradient.
    """
    return quantile_distance(found.points.T, found.weights, target)
