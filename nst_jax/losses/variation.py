"""Total variation: how much neighbouring pixels differ."""

import jax.numpy as jnp
from jaxtyping import Array, Float


def total_variation(image: Float[Array, "1 h w c"], wrap: bool = False) -> Float[Array, ""]:
    """Sum of squared differences between neighbouring pixels, in [0,1] units.

    With `wrap`, the first and the last row and column are neighbours. Mahendran & Vedaldi 2015, section 3,
    with beta = 2; not part of Gatys et al.
    """
    if wrap:
        rows, columns = (image - jnp.roll(image, 1, axis) for axis in (1, 2))
    else:
        rows, columns = (jnp.diff(image, axis=axis) for axis in (1, 2))
    return jnp.sum(jnp.square(rows)) + jnp.sum(jnp.square(columns))
