"""The covariance of the filters: a Gram matrix that is blind to the mean activations.

Gatys et al. 2015 compare Gram matrices, the raw second moments. Novak & Nikulin 2016 (arXiv 1605.04603)
subtract a constant from the activations first. With the mean as that constant, the Gram matrix becomes the
covariance.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from nst_jax.losses.gram import gram, gram_distance, position_blocks


class Gaussian(NamedTuple):
    """Mean and raw second moment of the filters over positions: averages of both describe a mixture."""

    mean: Float[Array, "n"]
    second: Float[Array, "n n"]

    def covariance(self) -> Float[Array, "n n"]:
        """The covariance of the filters."""
        return self.second - jnp.outer(self.mean, self.mean)


def gaussian(
    F: Float[Array, "1 h w n"], positions: int | None = None, guide: Float[Array, "1 h w 1"] | None = None
) -> Gaussian:
    """Return the moments of F over positions; with a `guide` T, positions are weighted by T^2.

    For a tile, pass the number of `positions` of the whole layer: the moments of all tiles then sum to those
    of the whole.
    """
    return Gaussian(mean_activation(F, positions, guide), gram(F, positions, guide))


def mean_activation(
    F: Float[Array, "1 h w n"], positions: int | None = None, guide: Float[Array, "1 h w 1"] | None = None
) -> Float[Array, "n"]:
    """Return the mean of each filter over positions, weighted by T^2 with a `guide` T."""
    weighted = F if guide is None else jnp.square(guide) * F
    # In blocks, like the Gram matrix: variances are small differences of large sums.
    sums = position_blocks(weighted.reshape(-1, F.shape[-1])).sum(1).sum(0)
    return sums / (positions or F.shape[1] * F.shape[2])


def covariance_distance(found: Gaussian, target: Gaussian) -> Float[Array, ""]:
    """Return 1/(4 n^2) sum (C - C')^2, the scale of `gram_distance`."""
    return gram_distance(found.covariance(), target.covariance())
