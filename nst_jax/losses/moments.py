"""Mean and standard deviation of each filter.

A Gram matrix fixes mean^2 + variance of a filter jointly, so that the mean may fall while the variance rises,
and colours drift. Galerne et al. 2024 (SPST, arXiv 2212.13459) add these two to the Gram matrix.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from nst_jax.losses.covariance import mean_activation

# Added to a variance: the square root has no gradient at 0. Variances of alive filters are about 1 to 1e4.
EPSILON = 1e-4


class Moments(NamedTuple):
    """Mean and mean square of each filter over positions."""

    mean: Float[Array, "n"]
    square: Float[Array, "n"]

    def deviation(self) -> Float[Array, "n"]:
        """The standard deviation of each filter."""
        variance = self.square - jnp.square(self.mean)
        return jnp.sqrt(jnp.maximum(variance, 0) + EPSILON)


def moments(
    F: Float[Array, "1 h w n"], positions: int | None = None, guide: Float[Array, "1 h w 1"] | None = None
) -> Moments:
    """Return the moments of each filter; arguments are those of `nst_jax.losses.covariance.gaussian`."""
    return Moments(*(mean_activation(values, positions, guide) for values in (F, jnp.square(F))))


def moments_distance(found: Moments, target: Moments) -> Float[Array, ""]:
    """Return the mean squared difference of means, plus that of standard deviations."""
    means = jnp.square(found.mean - target.mean)
    deviations = jnp.square(found.deviation() - target.deviation())
    return jnp.mean(means + deviations)
