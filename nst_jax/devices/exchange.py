"""What a program for one strip of a picture needs of the others; see `nst_jax.devices.split`.

All devices run the program at the same time, under `jax.shard_map` with the axis `AXIS`.
"""

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Int, Shaped

AXIS = "rows"


def first_row(rows: int) -> Int[Array, ""]:
    """The number in the whole of this strip's first row, where strips have `rows` rows."""
    return lax.axis_index(AXIS) * rows


def inside(rows: int, height: int) -> Bool[Array, "1 rows 1 1"]:
    """Which rows of this strip are within the first `height` rows of the whole."""
    return (first_row(rows) + jnp.arange(rows) < height)[None, :, None, None]


def zeros_below(x: Shaped[Array, "1 r w n"], height: int) -> Shaped[Array, "1 r w n"]:
    """`x` with zeros in the rows that are below the `height` rows of the whole."""
    # Strips that fill the picture exactly need no select.
    if x.shape[1] * lax.axis_size(AXIS) == height:
        return x
    return jnp.where(inside(x.shape[1], height), x, 0)


def with_neighbours(x: Shaped[Array, "1 r ..."], count: int) -> Shaped[Array, "1 _ ..."]:
    """The strip with the last `count` rows of the strip above and the first ones of the strip below.

    At the top and the bottom of the whole these are zeros. No strip may have less than `count` rows.
    """
    if not count:
        return x
    last = lax.axis_size(AXIS) - 1
    # A device without a partner receives zeros: the zero padding of the picture.
    above = lax.ppermute(x[:, -count:], AXIS, [(i, i + 1) for i in range(last)])
    below = lax.ppermute(x[:, :count], AXIS, [(i + 1, i) for i in range(last)])
    return jnp.concatenate([above, x, below], axis=1)


@jax.custom_vjp
def summed(tree: Any) -> Any:
    """The sum of each array over all strips.

    For a gradient within the program, where every device has the same cotangent: its own part of the sum
    takes it as it is.
    """
    return lax.psum(tree, AXIS)


summed.defvjp(lambda tree: (summed(tree), None), lambda _, cotangent: (cotangent,))


def to_columns(x: Shaped[Array, "1 r w n"]) -> Shaped[Array, "1 h c n"]:
    """Exchange strips so that this device has all rows of some columns, with zeros at the right."""
    # Every device takes as many columns.
    right = -x.shape[2] % lax.axis_size(AXIS)
    padded = jnp.pad(x, ((0, 0), (0, 0), (0, right), (0, 0)))
    return lax.all_to_all(padded, AXIS, split_axis=2, concat_axis=1, tiled=True)


def to_rows(x: Shaped[Array, "1 h c n"], width: int) -> Shaped[Array, "1 r w n"]:
    """The inverse of `to_columns` for pictures of `width` columns."""
    return lax.all_to_all(x, AXIS, split_axis=1, concat_axis=2, tiled=True)[:, :, :width]
