"""The Laplacian loss: keeps the outlines of the content, which the deep layers of a network lose.

Li, Xu, Nie & Chua 2017, "Laplacian-Steered Neural Style Transfer" (arXiv 1707.01253), equation 5.
"""

import jax.numpy as jnp
from jaxtyping import Array, Float

POOLED = 4  # pixels, side of the averaged squares: outlines rather than texture
LEVELS = 255.0  # pixels are on the scale of the paper's weights


def outlines(image: Float[Array, "1 h w 3"], wrap: bool = False) -> Float[Array, "1 _ _"]:
    """Return the Laplacian of the pooled image, summed over colours.

    Without `wrap`, only positions with four neighbours are returned; with it, the image is periodic.
    """
    height, width = (side // POOLED * POOLED for side in image.shape[1:3])
    squares = image[:, :height, :width].reshape(
        1, height // POOLED, POOLED, width // POOLED, POOLED, image.shape[3]
    )
    pooled = LEVELS * squares.mean((2, 4)).sum(-1)
    if wrap:
        pooled = jnp.pad(pooled, ((0, 0), (1, 1), (1, 1)), mode="wrap")
    middle = pooled[:, 1:-1, 1:-1]
    rows = pooled[:, :-2, 1:-1] + pooled[:, 2:, 1:-1]
    return 4 * middle - rows - pooled[:, 1:-1, :-2] - pooled[:, 1:-1, 2:]


def laplacian_loss(found: Float[Array, "1 h w"], target: Float[Array, "1 h w"]) -> Float[Array, ""]:
    """Return the mean squared difference of two `outlines`."""
    return jnp.mean(jnp.square(found - target))
