"""Pooling: by default of 2x2 windows with stride 2, where an odd last row or column is dropped.

With `padding`, windows may extend beyond the first and the last input by that much; with `ceil`, there is an
incomplete window at the end where one is left over. Only inputs inside the image count.
"""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array
from jaxtyping import Float


def avg_pool(
    x: Float[Array, "b h w n"], kernel: int = 2, stride: int = 2, padding: int = 0, ceil: bool = False
) -> Float[Array, "b _ _ n"]:
    """The mean of each window (Gatys et al. 2015, 'Methods')."""
    ends = (_ends(stride, padding, ceil),) * 2
    return nnx.avg_pool(x, (kernel,) * 2, (stride,) * 2, ends, count_include_pad=ends == ((0, 0),) * 2)


@partial(jax.custom_vjp, nondiff_argnums=(1, 2, 3, 4))
def max_pool(
    x: Float[Array, "b h w n"], kernel: int = 2, stride: int = 2, padding: int = 0, ceil: bool = False
) -> Float[Array, "b _ _ n"]:
    """The maximum of each window; if several are equal, the gradient goes to the first in row-major order.

    JAX's own gradient has the same values, but it uses a scatter that takes ten times as long on a CPU.
    """
    return nnx.max_pool(x, (kernel,) * 2, (stride,) * 2, (_ends(stride, padding, ceil),) * 2)


def _ends(stride: int, padding: int, ceil: bool) -> tuple[int, int]:
    """How far windows may extend before the first and after the last input of an axis."""
    return padding, padding + (stride - 1 if ceil else 0)


def _backward(
    kernel: int, stride: int, padding: int, ceil: bool, residuals: tuple[Array, Array], cotangent: Array
) -> tuple[Array]:
    x, y = residuals
    if kernel == stride == 2 and not (padding or ceil):
        return (_backward_2x2(x, y, cotangent),)
    return (_backward_overlapping(x, y, cotangent, kernel, stride, _ends(stride, padding, ceil)),)


def _backward_overlapping(
    x: Array, y: Array, cotangent: Array, kernel: int, stride: int, ends: tuple[int, int]
) -> Array:
    """The same for any windows.

    Inputs whose places agree modulo the stride are summed on a grid of their own, at the size of `y`, and the
    grids are interleaved at the end: this moves less memory than adding to the whole gradient each time.
    """
    (batch, rows, columns, channels), reach = y.shape, -(-kernel // stride)
    tall, wide = rows + reach - 1, columns + reach - 1  # of each grid
    sizes = (ends[0] + x.shape[1], ends[0] + x.shape[2])
    fill = (
        (0, 0),
        *((ends[0], max(0, stride * n - s)) for n, s in zip((tall, wide), sizes, strict=True)),
        (0, 0),
    )
    padded = jnp.pad(x, fill, constant_values=-jnp.inf)
    unassigned, grids = jnp.ones(y.shape, bool), [[jnp.zeros(())] * stride for _ in range(stride)]
    for i in range(kernel):
        for j in range(kernel):
            last_row, last_column = i + stride * (rows - 1) + 1, j + stride * (columns - 1) + 1
            first_maximum = unassigned & (padded[:, i:last_row:stride, j:last_column:stride] == y)
            unassigned &= ~first_maximum
            down, across = i // stride, j // stride
            place = ((0, 0), (down, reach - 1 - down), (across, reach - 1 - across), (0, 0))
            part = jnp.pad(jnp.where(first_maximum, cotangent, 0), place)
            grids[i % stride][j % stride] = grids[i % stride][j % stride] + part
    interleaved = jnp.stack([jnp.stack(row, axis=3) for row in grids], axis=2)
    whole = interleaved.reshape(batch, stride * tall, stride * wide, channels)
    short = [max(0, size - side) for size, side in zip(sizes, whole.shape[1:3], strict=True)]
    whole = jnp.pad(whole, ((0, 0), (0, short[0]), (0, short[1]), (0, 0)))
    return whole[:, ends[0] : sizes[0], ends[0] : sizes[1]]


def _backward_2x2(x: Array, y: Array, cotangent: Array) -> Array:
    """The same for 2x2 windows that do not overlap, which is faster by a reshape."""
    (batch, height, width, channels), (rows, columns) = x.shape, y.shape[1:3]
    windows = x[:, : 2 * rows, : 2 * columns].reshape(batch, rows, 2, columns, 2, channels)
    unassigned, parts = jnp.ones(y.shape, bool), []
    for row, column in ((0, 0), (0, 1), (1, 0), (1, 1)):
        first_maximum = unassigned & (windows[:, :, row, :, column] == y)
        parts.append(jnp.where(first_maximum, cotangent, 0))
        unassigned &= ~first_maximum
    pairs = jnp.stack([jnp.stack(parts[:2], axis=3), jnp.stack(parts[2:], axis=3)], axis=2)
    whole = pairs.reshape(batch, 2 * rows, 2 * columns, channels)
    return jnp.pad(whole, ((0, 0), (0, height % 2), (0, width % 2), (0, 0)))


max_pool.defvjp(lambda x, *window: (y := max_pool(x, *window), (x, y)), _backward)

POOLS: dict[str, Callable[..., Array]] = {"avg": avg_pool, "max": max_pool}
