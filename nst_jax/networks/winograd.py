"""3x3 convolution with a quarter of the multiplications: Winograd's F(4x4, 3x3).

Lavin & Gray 2016 (arXiv 1509.09308), section 4: four by four outputs come from a tile of six by six inputs,
by 36 products where the plain sum takes 144. Tiles and filters are transformed ("B" and "G" there),
multiplied position by position, which makes 36 matrix products, and transformed back ("A").
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jaxtyping import Float

STEP, TILE = 4, 6  # outputs and inputs of a tile, per side
# With fewer channels the transforms cost more than the products save.
CHANNELS = 128
# Tiles transformed together: as many rows of them as keep a strip near the caches, and its products large.
TILES_PER_STRIP = 256
G = np.array(
    [
        [1 / 4, 0, 0],
        [-1 / 6, -1 / 6, -1 / 6],
        [-1 / 6, 1 / 6, -1 / 6],
        [1 / 24, 1 / 12, 1 / 6],
        [1 / 24, -1 / 12, 1 / 6],
        [0, 0, 1],
    ],
    np.float32,
)


def pays(kernel_shape: tuple[int, ...]) -> bool:
    """Whether this is faster than the direct convolution: a rule, not a race, so that results repeat."""
    return jax.default_backend() == "cpu" and min(kernel_shape[2:]) >= CHANNELS


@jax.jit
def transform_filters(kernel: Float[Array, "3 3 i o"]) -> Float[Array, "36 i o"]:
    """The filters at the 36 positions of a tile, columns first; they depend on nothing but the weights."""
    positions = jnp.einsum("qx,py,yxio->qpio", G, G, kernel, precision=lax.Precision.HIGHEST)
    return positions.reshape(TILE * TILE, *kernel.shape[2:])


@jax.custom_vjp
def conv3x3_by_tiles(
    x: Float[Array, "b h w i"], filters: Float[Array, "36 i o"], turned: Float[Array, "36 o i"]
) -> Float[Array, "b h w o"]:
    """Cross-correlation with zero padding and stride 1, and its gradient with respect to `x`.

    `filters` are of the kernel, `turned` of the one for the gradient, by `transform_filters`. Both are four
    times the kernel's size, so a compiled loop would make them anew each time rather than keep them: they
    are made beforehand. Relative rounding error some 3e-6, where the direct convolution has 3e-7.
    """
    return _each(x, filters)


def _forward(x: Array, filters: Array, turned: Array) -> tuple[Array, tuple[Array, Array]]:
    return _each(x, filters), (filters, turned)


def _backward(residuals: tuple[Array, Array], cotangent: Array) -> tuple[Array, Array, Array]:
    # Filters are constants here; whoever asks for their gradients shall see that there are none.
    of_filters, of_turned = (jnp.full_like(array, jnp.nan) for array in residuals)
    return _each(cotangent, residuals[1]), of_filters, of_turned


conv3x3_by_tiles.defvjp(_forward, _backward)


def _each(x: Array, filters: Array) -> Array:
    if x.shape[0] == 1:
        return convolve(x[0], filters)[None]
    return jax.vmap(convolve, (0, None))(x, filters)


# Compiled with its caller, but traced once for each shape. Lanes of a sweep, and pictures of a batch, go one
# after the other: each is work enough for all cores.
@jax.jit
@jax.custom_batching.sequential_vmap
def convolve(x: Float[Array, "h w i"], filters: Float[Array, "36 i o"]) -> Float[Array, "h w o"]:
    """Cross-correlation of `x`, padded with zeros, with a kernel that `transform_filters` transformed."""
    height, width, _ = x.shape
    down, across = -(-height // STEP), -(-width // STEP)  # tiles
    strips = -(-down * across // TILES_PER_STRIP)
    rows = -(-down // strips)
    strips = -(-down // rows)
    bottom, right = STEP * rows * strips + 1 - height, STEP * across + 1 - width
    padded = jnp.pad(x, ((1, bottom), (1, right), (0, 0)))
    if strips == 1:
        return _strip(padded, filters)[:height, :width]

    def add_strip(index: Array, y: Array) -> Array:
        top = STEP * rows * index
        strip = lax.dynamic_slice_in_dim(padded, top, STEP * rows + TILE - STEP)
        return lax.dynamic_update_slice_in_dim(y, _strip(strip, filters), top, 0)

    shape = (STEP * rows * strips, STEP * across, filters.shape[-1])
    return lax.fori_loop(0, strips, add_strip, jnp.zeros(shape, x.dtype))[:height, :width]


def _strip(x: Array, filters: Array) -> Array:
    """Some rows of tiles, "4r+2 4c+2 i", convolved: "4r 4c o".

    XLA compiles a stack of sums to one loop for each, which runs along the channels. The barriers keep it
    from merging the stages, and so from computing the first anew for each sum of the second.
    """
    rows, columns = (x.shape[0] - 2) // STEP, (x.shape[1] - 2) // STEP
    first = [x[i : i + STEP * (rows - 1) + 1 : STEP] for i in range(TILE)]
    halfway = lax.optimization_barrier(jnp.stack(_transform(first)))
    second = [halfway[:, :, j : j + STEP * (columns - 1) + 1 : STEP] for j in range(TILE)]
    tiles = jnp.stack(_transform(second)).reshape(TILE * TILE, rows * columns, -1)
    tiles = lax.optimization_barrier(tiles)
    # HIGHEST: accelerators would otherwise round the factors to fewer bits.
    products = jnp.einsum("pti,pio->pto", tiles, filters, precision=lax.Precision.HIGHEST)
    products = lax.optimization_barrier(products).reshape(TILE, TILE, rows, columns, -1)
    by_column = [_transform_back(list(column)) for column in _transform_back(list(products))]
    y = jnp.stack([jnp.stack(row, axis=2) for row in zip(*by_column, strict=True)], axis=1)
    return y.reshape(STEP * rows, STEP * columns, -1)


def _transform(d: Sequence[Array]) -> list[Array]:
    """B^T d: six inputs, taken at the points 0, 1, -1, 2, -2 and infinity."""
    even, odd = d[4] - 4 * d[2], d[3] - 4 * d[1]
    even2, odd2 = d[4] - d[2], 2 * (d[3] - d[1])
    ends = 4 * d[0] - 5 * d[2] + d[4], 4 * d[1] - 5 * d[3] + d[5]
    return [ends[0], even + odd, even - odd, even2 + odd2, even2 - odd2, ends[1]]


def _transform_back(m: Sequence[Array]) -> list[Array]:
    """A^T m: four outputs from the products at the six points."""
    even, odd, even2, odd2 = m[1] + m[2], m[1] - m[2], m[3] + m[4], m[3] - m[4]
    return [m[0] + even + even2, odd + 2 * odd2, even + 4 * even2, odd + 8 * odd2 + m[5]]
