"""The Laplacian loss: keeps the outlines of the content, which the deep layers of a network lose.

Li, Xu, Nie & Chua 2017, "Laplacian-Steered Neural Style Transfer" (arXiv 1707.01253), equation 5.
"""

import jax.numpy as jnp
from jaxtyping import Array, Float

from nst_jax.devices import exchange
from nst_jax.devices.split import ByRows
from nst_jax.losses.terms.term import Term

POOLED = 4  # pixels, side of the averaged squares: outlines rather than texture
LEVELS = 255.0  # pixels are on the scale of the paper's weights


def outlines(image: Float[Array, "1 h w 3"], wrap: bool = False) -> Float[Array, "1 _ _"]:
    """Return the Laplacian of the pooled image, summed over colours.

    Without `wrap`, only positions with four neighbours are returned; with it, the image is periodic.
    """
    # Incomplete squares at the right and the bottom are left out.
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


def strip_laplacian(
    strip: Float[Array, "1 r w 3"], target: Float[Array, "1 s _"], height: int
) -> Float[Array, ""]:
    """This strip's share of the `laplacian_loss` of a picture of `height` rows; see `padded_outlines`."""
    found = outlines(exchange.with_neighbours(strip, POOLED))
    rows, positions = found.shape[1], (height // POOLED - 2) * found.shape[2]
    seen = exchange.inside(rows, height // POOLED - 1)[..., 0] & ~exchange.inside(rows, 1)[..., 0]
    return jnp.sum(jnp.where(seen, jnp.square(found - target), 0)) / positions


def padded_outlines(content: Float[Array, "1 h w 3"], wrap: bool = False) -> Float[Array, "1 _ _"]:
    """The outlines of the content, with zeros at the first and the last row if these lack a neighbour."""
    return outlines(content, wrap) if wrap else jnp.pad(outlines(content), ((0, 0), (1, 1), (0, 0)))


LAPLACIAN = Term(
    prepare=lambda inputs: ByRows(padded_outlines(jnp.asarray(inputs.content), inputs.wrap), POOLED),
    measure=lambda seen, target: laplacian_loss(
        outlines(seen.pixels, seen.wrap), target.values if seen.wrap else target.values[:, 1:-1]
    ),
    additive=True,
    rows=POOLED,
    share=lambda seen, target: strip_laplacian(seen.pixels, target.values, seen.height),
    weight=lambda config: config.laplacian_weight,
)
