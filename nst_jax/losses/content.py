"""Content losses: the distance between the activations of the image and those of the content."""

from collections.abc import Callable

import jax.numpy as jnp
from jaxtyping import Array, Float


def content_loss(F: Float[Array, "1 h w n"], P: Float[Array, "1 h w n"]) -> Float[Array, ""]:
    """Half the sum of squared differences of activations: equation 1 of Gatys et al. 2015."""
    return 0.5 * jnp.sum(jnp.square(F - P))


def mean_content_loss(F: Float[Array, "1 h w n"], P: Float[Array, "1 h w n"]) -> Float[Array, ""]:
    """The mean of squared differences, as in the authors' code: `content_loss` times 2 / (n m)."""
    return jnp.mean(jnp.square(F - P))


CONTENT_LOSSES: dict[str, Callable[[Array, Array], Array]] = {
    "sum": content_loss,
    "mean": mean_content_loss,
}
