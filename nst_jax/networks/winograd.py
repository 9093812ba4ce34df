"""3x3 convolution with a quarter of the multiplications: Winograd's F(4x4, 3x3).

Lavin & Gray 2016 (arXiv 1509.09308), section 4: 4x4 outputs are computed from a tile of 6x6 inputs with 36
multiplications instead of 144. Tiles and filters are transformed (by the paper's matrices B and G),
multiplied position by position, as 36 matrix products over the channels, and transformed back (by A).
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jaxtyping import Float

from nst_jax.networks.prepared import with_prepared_filters

STEP, TILE = 4, 6  # outputs and inputs of a tile, per side
# With fewer channels, the transforms cost more than the multiplications save.
CHANNELS = 64
# A direct convolution with fewer multiply-adds takes about 1 ms at most, and its program compiles sooner.
MULTIPLY_ADDS = 2**27
# Tiles transformed together: few enough for a strip to stay in the cache, enough for large matrix products.
TILES_PER_STRIP = 256
TILE_CHANNELS = 2**16  # with few channels more tiles, so that tiles times channels reach this
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
    """Whether this beats the direct convolution of large pictures: a fixed rule, so that results repeat."""
    return jax.default_backend() == "cpu" and min(kernel_shape[2:]) >= CHANNELS


def transform_filters(kernel: Float[np.ndarray, "3 3 i o"]) -> Float[np.ndarray, "36 i o"]:
    """Transform the filters to the 36 positions of a tile, in column-major order."""
    rows = np.tensordot(G, kernel, axes=(1, 0))
    positions = np.tensordot(G, rows, axes=(1, 1))
    return positions.reshape(TILE * TILE, *kernel.shape[2:])


def _convolve(x: Float[Array, "h w i"], filters: Float[Array, "36 i o"]) -> Float[Array, "h w o"]:
    """Cross-correlation of the zero-padded `x` with the kernel of `filters`.

    The relative rounding error is about 3e-6; that of the direct convolution is 3e-7.
    """
    height, width, _ = x.shape
    down, across = -(-height // STEP), -(-width // STEP)  # tiles
    strips = -(-down * across // max(TILES_PER_STRIP, TILE_CHANNELS // filters.shape[-1]))
    rows = STEP * -(-down // strips)
    padded = jnp.pad(x, ((1, 1 + max(rows - height, 0)), (1, STEP * across + 1 - width), (0, 0)))
    if rows >= height:
        return _strip(padded, filters)[:height, :width]

    def add_strip(index: Array, y: Array) -> Array:
        top = jnp.minimum(rows * index, height - rows)  # the last strip overlaps the one before
        strip = lax.dynamic_slice_in_dim(padded, top, rows + TILE - STEP)
        return lax.dynamic_update_slice_in_dim(y, _strip(strip, filters)[:, :width], top, 0)

    y = jnp.zeros((height, width, filters.shape[-1]), x.dtype)
    return lax.fori_loop(0, -(-height // rows), add_strip, y)


conv3x3_by_tiles = with_prepared_filters(_convolve)


def _strip(x: Array, filters: Array) -> Array:
    """Convolve some rows of tiles, "4r+2 4c+2 i" to "4r 4c o".

    XLA compiles each sum of a stack to its own loop over the channels. The barriers prevent it from fusing
    the stages, which would compute the first stage again for each sum of the second.
    """
    rows, columns = (x.shape[0] - 2) // STEP, (x.shape[1] - 2) // STEP
    first = [x[i : i + STEP * (rows - 1) + 1 : STEP] for i in range(TILE)]
    halfway = lax.optimization_barrier(jnp.stack(_transform(first)))
    second = [halfway[:, :, j : j + STEP * (columns - 1) + 1 : STEP] for j in range(TILE)]
    tiles = jnp.stack(_transform(second)).reshape(TILE * TILE, rows * columns, -1)
    tiles = lax.optimization_barrier(tiles)
    # HIGHEST: accelerators round the operands to fewer bits by default.
    products = jnp.einsum("pti,pio->pto", tiles, filters, precision=lax.Precision.HIGHEST)
    products = lax.optimization_barrier(products).reshape(TILE, TILE, rows, columns, -1)
    by_row = jnp.stack(_transform_back([products[:, i] for i in range(TILE)]), axis=2)
    by_row = lax.optimization_barrier(by_row)
    y = jnp.stack(_transform_back([by_row[j] for j in range(TILE)]), axis=3)
    return y.reshape(STEP * rows, STEP * columns, -1)


def _transform(d: Sequence[Array]) -> list[Array]:
    """B^T d: six inputs, evaluated at the points 0, 1, -1, 2, -2 and infinity."""
    even, odd = d[4] - 4 * d[2], d[3] - 4 * d[1]
    even2, odd2 = d[4] - d[2], 2 * (d[3] - d[1])
    ends = 4 * d[0] - 5 * d[2] + d[4], 4 * d[1] - 5 * d[3] + d[5]
    return [ends[0], even + odd, even - odd, even2 + odd2, even2 - odd2, ends[1]]


def _transform_back(m: Sequence[Array]) -> list[Array]:
    """A^T m: four outputs from the products at the six points."""
    even, odd, even2, odd2 = m[1] + m[2], m[1] - m[2], m[3] + m[4], m[3] - m[4]
    return [m[0] + even + even2, odd + 2 * odd2, even + 4 * even2, odd + 8 * odd2 + m[5]]
