"""Sliced Wasserstein distance: how differently the activations of two pictures are distributed.

Heitz et al. 2021, "A Sliced Wasserstein Loss for Neural Texture Synthesis" (arXiv 2006.07229). Activations are
points in the space of filters. Projected onto a direction, two sets of points are compared by their sorted
values, which is the exact Wasserstein distance of the projections. Unlike Gram matrices, the distance is 0 only
if the distributions are the same.
"""

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float


def random_directions(channels: int, count: int, seed: int = 0) -> Float[np.ndarray, "channels count"]:
    """Return `count` unit vectors, uniformly distributed on the sphere; the same ones for the same `seed`."""
    vectors = np.random.default_rng(seed).standard_normal((channels, count))
    return (vectors / np.linalg.norm(vectors, axis=0)).astype(np.float32)


def sorted_projections(F: Float[Array, "m n"], directions: Float[Array, "n d"]) -> Float[Array, "m d"]:
    """Return the projections of the rows of F onto each direction, in ascending order."""
    return jnp.sort(jnp.matmul(F, directions, precision=lax.Precision.HIGHEST), axis=0)


def sliced_wasserstein(
    F: Float[Array, "m n"], S: Float[Array, "k n"], directions: Float[Array, "n d"]
) -> Float[Array, ""]:
    """Return the mean squared difference of the sorted projections, over directions and ranks.

    If the sets differ in size, the sorted projections of S are interpolated linearly to those of F.
    """
    projected = resampled(sorted_projections(S, directions), len(F))
    return jnp.mean(jnp.square(sorted_projections(F, directions) - projected))


def resampled(ranked: Float[Array, "k d"], count: int) -> Float[Array, "{count} d"]:
    """Interpolate sorted columns linearly to `count` values, as quantiles at the middles of equal shares."""
    if len(ranked) == count:
        return ranked
    position = (np.arange(count) + 0.5) / count * len(ranked) - 0.5
    below = np.clip(np.floor(position).astype(np.int32), 0, len(ranked) - 1)
    above = np.minimum(below + 1, len(ranked) - 1)
    share = np.clip(position - below, 0, 1).astype(np.float32)[:, np.newaxis]
    return ranked[below] * (1 - share) + ranked[above] * share
