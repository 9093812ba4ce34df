"""Markov random fields: every patch of a layer is drawn to the most similar patch of the style.

Li & Wand 2016 (arXiv 1601.04589), equations 2 and 3. Patches are 3 x 3 positions at a stride of 2, as in the
released code. There, the gradients of overlapping patches are averaged; here, the loss is the mean over
patches and their entries, whose gradients add up. The most similar patch is searched among those of all
styles of a region, whose weights have no effect therefore.
"""

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float, Int

from nst_jax.losses.distribution import Distribution

SIDE = 3  # of a patch, in positions
STRIDE = 2  # a patch shares a row or column with the next one
# The time for a search is the product of the numbers of patches of both pictures. This keeps all of a style
# of 2 megapixels at conv3_1, the first layer of the paper, and of 364 x 364 pixels at conv1_1.
MOST_PATCHES = 1 << 15
PATCHES_TOGETHER = 512  # searched at a time: their similarities with all of the style are in memory
SMALLEST = 1e-12  # of a squared length or a weight, so that 0 can be divided by it


def patches(
    F: Float[Array, "1 h w n"], positions: int | None = None, guide: Float[Array, "1 h w 1"] | None = None
) -> Distribution:
    """Return the patches of F, which must be a whole layer; a `guide` T weights them by T^2 at their centres.

    A layer that is smaller than a patch is continued by its last row and column.
    """
    del positions
    corners = _patches(F)
    weights = None if guide is None else jnp.square(_patches(guide)[:, SIDE**2 // 2])
    return Distribution(corners, weights)


def kept_patches(style: Distribution, height: int, width: int) -> Float[Array, "k d"]:
    """Return the patches of the style that have a weight, whatever the size of the result.

    Patches without weight are replaced by one that has some. More than `MOST_PATCHES` are thinned out at
    equal intervals of the sum of their weights.
    """
    del height, width
    points, weights = style
    count = min(len(points), MOST_PATCHES)
    levels = (np.arange(count) + 0.5) / count
    if weights is None:
        return points[np.floor(levels * len(points)).astype(np.int32)]
    if count == len(points):
        return points[jnp.where(weights > 0, np.arange(count), jnp.argmax(weights))]
    through = jnp.cumsum(weights)
    # A patch without weight has the level of its predecessor, and is never found.
    return points[jnp.searchsorted(through, levels * through[-1], side="right")]


def patch_count(height: int, width: int) -> int:
    """Return the number of patches of a layer of `height` x `width` positions."""
    return _count(height) * _count(width)


def mrf_distance(found: Distribution, target: Float[Array, "k d"]) -> Float[Array, ""]:
    """Return the mean squared difference from the most similar patches of the target.

    Which patch is the most similar is constant in the gradient.
    """
    # A search has no gradient; without this, JAX would keep all similarities for it.
    nearest = most_similar(lax.stop_gradient(found.points), target)
    squares = jnp.mean(jnp.square(found.points - target[nearest]), axis=1)
    if found.weights is None:
        return jnp.mean(squares)
    return jnp.sum(found.weights * squares) / jnp.maximum(jnp.sum(found.weights), SMALLEST)


def most_similar(points: Float[Array, "m d"], target: Float[Array, "k d"]) -> Int[Array, "m"]:
    """Return the row of `target` with the largest normalised cross-correlation with each row of `points`."""
    lengths = jnp.sqrt(jnp.sum(jnp.square(target), axis=1) + SMALLEST)

    def search(point: Array) -> Array:
        # The length of the point itself changes no maximum.
        return jnp.argmax(jnp.matmul(target, point, precision=lax.Precision.HIGHEST) / lengths)

    return lax.map(search, points, batch_size=PATCHES_TOGETHER).astype(jnp.int32)


def _patches(F: Float[Array, "1 h w n"]) -> Float[Array, "m d"]:
    missing = [(0, max(0, SIDE - length)) for length in F.shape[1:3]]
    F = jnp.pad(F, ((0, 0), *missing, (0, 0)), mode="edge")
    rows, columns = (STRIDE * (_count(length) - 1) + 1 for length in F.shape[1:3])
    corners = [
        F[0, top : top + rows : STRIDE, left : left + columns : STRIDE].reshape(-1, F.shape[3])
        for top in range(SIDE)
        for left in range(SIDE)
    ]
    return jnp.concatenate(corners, axis=1)


def _count(length: int) -> int:
    """The number of patches along a side of `length` positions."""
    return (max(length, SIDE) - SIDE) // STRIDE + 1
