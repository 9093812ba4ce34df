"""Total variation: how much neighbouring pixels differ."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from nst_jax.devices import exchange
from nst_jax.losses.terms.term import Term


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


def strip_variation(strip: Float[Array, "1 r w c"], height: int) -> Float[Array, ""]:
    """This strip's share of the `total_variation` of a picture of `height` rows.

    It includes the differences between its last row and the first one of the strip below.
    """
    rows = strip.shape[1]
    downwards = jnp.diff(exchange.with_neighbours(strip, 1)[:, 1:], axis=1)
    across = jnp.diff(strip, axis=2)
    return jnp.sum(jnp.square(downwards) * exchange.inside(rows, height - 1)) + jnp.sum(
        jnp.square(across) * exchange.inside(rows, height)
    )


TV = Term(
    prepare=lambda inputs: None,
    measure=lambda seen, target: total_variation(seen.pixels, seen.wrap),
    additive=True,
    share=lambda seen, target: strip_variation(seen.pixels, seen.height),
    weight=lambda config: config.tv_weight,
    always=True,
)
