"""3x3 convolution as products of bfloat16 matrices, for processors with matrix units (AMX).

XLA computes convolutions in bfloat16 no faster than in float32, but products of matrices five times as fast.
Here the left, the same and the right neighbour of each position are gathered side by side, and multiplied
with the kernel's three rows at once. The three responses of a position are then added to three rows.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jaxtyping import BFloat16, Float, UInt32

from nst_jax.devices import processor
from nst_jax.networks.prepared import with_prepared_filters

# With fewer channels, moving the data costs more than the products save.
CHANNELS = 64
# The responses of a picture are computed at once if they take no more bytes, else in strips of rows: those
# of a strip then stay in the cache, but slicing costs more than that gains for small pictures.
MOST_BYTES_AT_ONCE = 40 * 2**20
STRIP_BYTES = 9 * 2**20


def suits(kernel_shape: tuple[int, ...]) -> bool:
    """Whether this beats float32 algorithms: a fixed rule, not a timing."""
    inputs, outputs = kernel_shape[2:]
    wide = min(inputs, outputs) >= CHANNELS and not (inputs % 2 or outputs % 2)
    return wide and jax.default_backend() == "cpu" and processor.multiplies_bfloat16()


def arrange_filters(kernel: Float[np.ndarray, "3 3 i o"]) -> BFloat16[np.ndarray, "3*i 3*o"]:
    """Arrange the filters by column and input, in the order of `_packed`, and by row and output."""
    rows, columns, inputs, outputs = kernel.shape
    halves = kernel.reshape(rows, columns, 2, inputs // 2, outputs)
    arranged = halves.transpose(1, 3, 2, 0, 4).reshape(columns * inputs, rows * outputs)
    return arranged.astype(jnp.bfloat16)


def _convolve(x: Float[Array, "h w i"], filters: BFloat16[Array, "j k"]) -> Float[Array, "h w k//3"]:
    """Cross-correlation of the zero-padded `x` with the kernel of `filters`.

    Factors are rounded to bfloat16 (8 bits), their products are added in float32.
    """
    height, width, _ = x.shape
    outputs = filters.shape[1] // 3
    size = 4 * height * width * filters.shape[1]
    # Packed once for all strips; fused with them, it would be packed for each.
    padded = lax.optimization_barrier(jnp.pad(_packed(x), ((1, 1), (1, 1), (0, 0))))
    if size <= MOST_BYTES_AT_ONCE:
        return _strip(padded, filters)
    rows = -(-height // -(-size // STRIP_BYTES))

    def add_strip(index: Array, y: Array) -> Array:
        top = jnp.minimum(rows * index, height - rows)  # the last strip overlaps the one before
        strip = lax.dynamic_slice_in_dim(padded, top, rows + 2)
        return lax.dynamic_update_slice_in_dim(y, _strip(strip, filters), top, 0)

    return lax.fori_loop(0, -(-height // rows), add_strip, jnp.zeros((height, width, outputs), x.dtype))


conv3x3_by_products = with_prepared_filters(_convolve)


def _packed(x: Float[Array, "h w i"]) -> UInt32[Array, "h w i//2"]:
    """Round to bfloat16, and pack each channel of the first half with one of the second.

    XLA moves 32 bits at a time several times faster than 16.
    """
    bits = lax.bitcast_convert_type(x.astype(jnp.bfloat16), jnp.uint16).astype(jnp.uint32)
    first, second = jnp.split(bits, 2, axis=-1)
    return first | second << 16


def _strip(packed: UInt32[Array, "_ _ _"], filters: Array) -> Float[Array, "_ _ _"]:
    """Convolve some rows. The barriers prevent XLA from computing a stage again for each use of it."""
    height, width = packed.shape[0] - 2, packed.shape[1] - 2
    neighbours = [packed[:, column : column + width] for column in range(3)]
    gathered = lax.optimization_barrier(jnp.concatenate(neighbours, axis=-1))
    factors = lax.bitcast_convert_type(gathered, jnp.bfloat16).reshape(-1, filters.shape[0])
    products = jnp.matmul(factors, filters, preferred_element_type=jnp.float32)
    by_row = lax.optimization_barrier(products.reshape(height + 2, width, 3, -1))
    return sum(by_row[row : row + height, :, row] for row in range(3))
