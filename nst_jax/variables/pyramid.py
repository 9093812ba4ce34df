"""Laplacian pyramids, as one array.

The variable of Kolkin et al. 2022 (arXiv 2203.13215), section 4. An optimiser that gives every entry the same
step, such as Adam, then changes coarse structure as quickly as fine detail.
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from nst_jax.variables.variable import Variable

MOST_LEVELS = 8
SMALLEST_LONGER_SIDE = 4  # pixels; a picture below is not halved any more


@jax.tree_util.register_static
@dataclasses.dataclass(frozen=True)
class PyramidBasis:
    """The size of the picture in pixels, which its pyramid does not tell."""

    height: int
    width: int


def level_sizes(height: int, width: int) -> tuple[tuple[int, int], ...]:
    """Return the height and width of each level, the picture's own first; sides are halved, rounding down."""
    sizes = [(height, width)]
    while len(sizes) <= MOST_LEVELS and max(sizes[-1]) >= SMALLEST_LONGER_SIDE:
        sizes.append((max(1, sizes[-1][0] // 2), max(1, sizes[-1][1] // 2)))
    return tuple(sizes)


def to_pyramid(image: Float[Any, "1 h w 3"]) -> Float[Array, "1 1 n 3"]:
    """Return the levels of the pyramid of `image`, the finest first, in a row of pixels.

    A level is what the next smaller picture, enlarged, lacks; the last one is the smallest picture itself.
    """
    levels = []
    for size in level_sizes(*image.shape[1:3])[1:]:
        smaller = bilinear(image, *size)
        levels.append(image - bilinear(smaller, *image.shape[1:3]))
        image = smaller
    return jnp.concatenate([level.reshape(1, 1, -1, 3) for level in (*levels, image)], axis=2)


def from_pyramid(
    pyramid: Float[Any, "1 1 n 3"], height: int, width: int
) -> Float[Array, "1 {height} {width} 3"]:
    """Return the picture whose pyramid this is."""
    sizes = level_sizes(height, width)
    # The coarsest level is last, and everything finer is added to it.
    image, end = jnp.zeros((1, 1, 1, 3)), pyramid.shape[2]
    for size in reversed(sizes):
        level = pyramid[:, :, end - size[0] * size[1] : end].reshape(1, *size, 3)
        image = level if size == sizes[-1] else level + bilinear(image, *size)
        end -= size[0] * size[1]
    return image


def finest_detail(image: Float[Any, "1 h w 3"]) -> Float[Array, "1 h w 3"]:
    """Return the finest level of the pyramid of `image`."""
    height, width = image.shape[1:3]
    return image - bilinear(bilinear(image, max(1, height // 2), max(1, width // 2)), height, width)


def bilinear(image: Float[Any, "1 h w n"], height: int, width: int) -> Float[Array, "1 {height} {width} n"]:
    """Interpolate between the centres of pixels, without antialiasing, as `F.interpolate` of PyTorch does."""
    shape = (1, height, width, image.shape[3])
    return jax.image.resize(image, shape, "linear", antialias=False)


# Compiled: uncompiled, each of the many small operations is a program of its own.
PYRAMID = Variable(
    init=lambda canvas: PyramidBasis(*canvas.size),
    encode=jax.jit(lambda basis, picture: to_pyramid(picture)),
    decode=jax.jit(lambda basis, pyramid: from_pyramid(pyramid, basis.height, basis.width)),
)
