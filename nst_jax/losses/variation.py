"""Total variation: the differences between neighbouring pixels."""

import jax.numpy as jnp
from jaxtyping import Array, Float


def total_variation(image: Float[Array, "1 h w c"]) -> Float[Array, ""]:
    """Sum of squared differences between neighbouring pixels, in [0,1] units.

    Mahendran & Vedaldi 2015, section 3, with beta = 2; not in Gatys et al.
    """
    rows = jnp.diff(image, axis=1)
    columns = jnp.diff(image, axis=2)
    return jnp.sum(jnp.square(rows)) + jnp.sum(jnp.square(columns))
