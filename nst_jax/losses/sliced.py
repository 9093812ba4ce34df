"""The sliced Wasserstein distance: the distributions of activations, compared along random directions.

Heitz et al. 2021 (arXiv 2006.07229), equations 5 and 6, with as many directions as filters. The paper draws
directions afresh for each evaluation. Here they are fixed, because a line search needs a function that does
not change.
"""

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float

from nst_jax.losses.distribution import Distribution
from nst_jax.losses.quantiles import quantile_distance, quantiles

SEED = 1  # of the directions; not that of the neutral score


def directions(filters: int) -> Float[np.ndarray, "n n"]:
    """Return unit vectors, one a row, drawn uniformly from the sphere."""
    vectors = np.random.default_rng(SEED).standard_normal((filters, filters))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def projected_quantiles(style: Distribution, height: int, width: int) -> Float[Array, "n m"]:
    """Return as many quantiles of each projection as a result's layer of `height` x `width` has positions."""
    return quantiles(_projections(style), style.weights, height * width)


def sliced_distance(found: Distribution, target: Float[Array, "n m"]) -> Float[Array, ""]:
    """Return the mean squared difference of projections of equal rank, over directions and positions."""
    return quantile_distance(_projections(found), found.weights, target)


def _projections(cloud: Distribution) -> Float[Array, "n m"]:
    vectors = directions(cloud.points.shape[1])
    # HIGHEST: accelerators round the operands to fewer bits by default.
    return jnp.matmul(vectors, cloud.points.T, precision=lax.Precision.HIGHEST)
