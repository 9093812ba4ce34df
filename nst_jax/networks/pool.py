"""Pooling: by default of 2x2 windows with stride 2, where an odd last row or column is dropped.

With `padding`, windows may extend beyond the first and the last input by that much; with `ceil`, there is an
incomplete window at the end where one is left over. Only inputs inside the image count.
"""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array, lax
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


def _forward(
    x: Array, kernel: int, stride: int, padding: int, ceil: bool
) -> tuple[Array, tuple[Array, Array]]:
    y = max_pool(x, kernel, stride, padding, ceil)
    return y, (x, y)


def _backward(
    kernel: int, stride: int, padding: int, ceil: bool, residuals: tuple[Array, Array], cotangent: Array
) -> tuple[Array]:
    x, y = residuals
    if kernel == stride == 2 and not (padding or ceil):
        return (_backward_2x2(x, y, cotangent),)
    low, high = _ends(stride, padding, ceil)
    padded = jnp.pad(x, ((0, 0), (low, high), (low, high), (0, 0)), constant_values=-jnp.inf)
    rows, columns = (stride * (count - 1) + 1 for count in y.shape[1:3])
    unassigned, gradient = jnp.ones(y.shape, bool), jnp.zeros(padded.shape, x.dtype)
    for i in range(kernel):
        for j in range(kernel):
            first_maximum = unassigned & (padded[:, i : i + rows : stride, j : j + columns : stride] == y)
            part = jnp.where(first_maximum, cotangent, 0)
            down, across = (
                (start, size - start - extent, stride - 1)
                for start, size, extent in ((i, padded.shape[1], rows), (j, padded.shape[2], columns))
            )
            gradient += lax.pad(part, jnp.zeros((), x.dtype), ((0, 0, 0), down, across, (0, 0, 0)))
            unassigned &= ~first_maximum
    return (gradient[:, low : low + x.shape[1], low : low + x.shape[2]],)


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


max_pool.defvjp(_forward, _backward)

POOLS: dict[str, Callable[..., Array]] = {"avg": avg_pool, "max": max_pool}
