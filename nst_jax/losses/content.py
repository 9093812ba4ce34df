"""Content losses: the distance between the activations of the image and those of the content."""

from collections.abc import Callable

import jax.numpy as jnp
from jaxtyping import Array, Float


def content_loss(
    F: Float[Array, "1 h w n"], P: Float[Array, "1 h w n"], positions: int | None = None
) -> Float[Array, ""]:
    """Half the sum of squared differences of activations: equation 1 of Gatys et al. 2015."""
    del positions
    return 0.5 * jnp.sum(jnp.square(F - P))


def mean_content_loss(
    F: Float[Array, "1 h w n"], P: Float[Array, "1 h w n"], positions: int | None = None
) -> Float[Array, ""]:
    """The mean of squared differences, as in the authors' code: `content_loss` times 2 / (n m).

    For some rows of a layer, pass the number of `positions` of the whole layer: the losses then sum to that
    of the whole.
    """
    if positions is None:
        return jnp.mean(jnp.square(F - P))
    return jnp.sum(jnp.square(F - P)) / (positions * F.shape[-1])


CONTENT_LOSSES: dict[str, Callable[..., Array]] = {
    "sum": content_loss,
    "mean": mean_content_loss,
}
