"""What a picture is to activate, and how different several pictures are to be.

Olah, Mordvintsev & Schubert 2017 ("Feature visualization", Distill), "Optimization objectives" and
"Diversity". F is a layer's activation for n pictures; `direction` weighs its channels.
"""

from collections.abc import Callable

import jax.numpy as jnp
from jaxtyping import Array, Float

LOG_OFFSET = 1e-3  # activations have a scale of about 100

Activations = Float[Array, "n h w c"]
Direction = Float[Array, "c"]


def unit(F: Activations, direction: Direction) -> Float[Array, "n"]:
    """The response at the central position alone."""
    return F[:, F.shape[1] // 2, F.shape[2] // 2] @ direction


def channel(F: Activations, direction: Direction) -> Float[Array, "n"]:
    """The mean response over all positions; `direction` selects one channel, or mixes several."""
    return F.mean((1, 2)) @ direction


def layer_energy(F: Activations, direction: Direction) -> Float[Array, "n"]:
    """The mean square of all activations of the layer, as in DeepDream; `direction` is not used."""
    del direction
    return jnp.square(F).mean((1, 2, 3))


OBJECTIVES: dict[str, Callable[[Activations, Direction], Float[Array, "n"]]] = {
    "unit": unit,
    "channel": channel,
    "layer": layer_energy,
    "direction": channel,
}


def log_response(response: Float[Array, "n"]) -> Float[Array, "n"]:
    """The logarithm of a response, continued to negative values as an odd function.

    Its gradient does not depend on the scale of the response: one weight of a penalty then suits all units.
    """
    return jnp.sign(response) * jnp.log1p(jnp.abs(response) / LOG_OFFSET)


def similarity(F: Activations) -> Float[Array, ""]:
    """The mean cosine between the Gram matrices of different pictures; 0 for a single one."""
    grams = jnp.einsum("nhwi,nhwj->nij", F, F).reshape(len(F), -1)
    # A layer that is silent has a Gram matrix of zeros.
    grams /= jnp.linalg.norm(grams, axis=1, keepdims=True) + 1e-12
    pairs = len(F) * (len(F) - 1)
    return (jnp.square(grams.sum(0)).sum() - jnp.square(grams).sum()) / max(1, pairs)
