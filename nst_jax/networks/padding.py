"""Padding of activations other than by zeros."""

import jax.numpy as jnp
from jaxtyping import Array, Float

# The names in configs, and NumPy's.
MODES = {"replicate": "edge", "reflect": "reflect", "circular": "wrap"}
PADDINGS = ("zeros", *MODES)
BORDER = 1  # positions on each side, for a 3x3 convolution
SPATIAL = ((0, 0), (BORDER, BORDER), (BORDER, BORDER), (0, 0))


def pad(x: Float[Array, "b h w n"], mode: str) -> Float[Array, "b h+2 w+2 n"]:
    """Pad both sides of rows and columns by one position; `mode` is a key of `MODES`.

    `reflect` does not repeat the border. Where there is nothing to reflect, it is repeated.
    """
    if mode == "reflect" and min(x.shape[1:3]) == 1:
        mode = "replicate"
    return jnp.pad(x, SPATIAL, mode=MODES[mode])


def crop(x: Float[Array, "b h w n"]) -> Float[Array, "b h-2 w-2 n"]:
    """Remove the border that `pad` added, where a convolution of the padded array saw zeros."""
    return x[:, BORDER:-BORDER, BORDER:-BORDER]
