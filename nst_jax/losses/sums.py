"""The mean activations of a region: a weaker and cheaper statistic than a guided Gram matrix.

Gatys et al. 2017 (arXiv 1611.07865), section 4, "guided sums": usually beside one Gram matrix of the whole.
As in the paper, a guide T with a mean square of 1 enters once, not squared: the mean of T o F is that of the
region times the root of the region's share of the layer. Unlike with the other style losses, a region that
takes up different shares of the content and of the style is therefore not drawn to the style's own mean.
"""

import jax.numpy as jnp
from jaxtyping import Array, Float


def guided_mean(
    F: Float[Array, "1 h w n"], positions: int | None = None, guide: Float[Array, "1 h w 1"] | None = None
) -> Float[Array, "n"]:
    """Return the mean over positions of F, or of T o F with a `guide` T.

    For a tile, pass the number of `positions` of the whole layer: the means of all tiles then sum to that of
    the whole.
    """
    guided = F if guide is None else guide * F
    return guided.sum((0, 1, 2)) / (positions or F.shape[1] * F.shape[2])


def mean_distance(m: Float[Array, "n"], target: Float[Array, "n"]) -> Float[Array, ""]:
    """Return the mean squared difference."""
    return jnp.mean(jnp.square(m - target))
