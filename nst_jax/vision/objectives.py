"""What a picture is to activate, and how different several pictures are to be.

Olah, Mordvintsev & Schubert 2017 ("Feature visualization", Distill), "Optimization objectives" and
"Diversity". F is a layer's activation for n pictures, before its last ReLU except for `layer`: a unit that
is off has no gradient after it. `direction` weighs the channels.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

Activations = Float[Array, "n h w c"]
Direction = Float[Array, "c"]


def unit(F: Activations, direction: Direction) -> Float[Array, "n"]:
    """The response at the central position alone."""
    return F[:, F.shape[1] // 2, F.shape[2] // 2] @ direction


def channel(F: Activations, direction: Direction) -> Float[Array, "n"]:
    """The mean response over all positions; `direction` selects one channel, or mixes several."""
    return F.mean((1, 2)) @ direction


def layer_energy(F: Activations, direction: Direction) -> Float[Array, "n"]:
    """The root mean square of all activations, whose square DeepDream maximises; no `direction` is used."""
    del direction
    return jnp.sqrt(jnp.square(F).mean((1, 2, 3)))


class Objective(NamedTuple):
    """A response to maximise, and whether it is one of activations before the last ReLU."""

    response: Callable[[Activations, Direction], Float[Array, "n"]]
    before_relu: bool = True


OBJECTIVES = {
    "unit": Objective(unit),
    "channel": Objective(channel),
    "layer": Objective(layer_energy, before_relu=False),
    "direction": Objective(channel),
}


def log_response(response: Float[Array, "n"], scale: Float[Array, ""]) -> Float[Array, "n"]:
    """The inverse hyperbolic sine of responses relative to `scale`: beyond it, their logarithm.

    The gradient of a logarithm does not depend on the scale of the response: one weight of a penalty then
    suits all units. Around 0, which a unit that is off at first has to pass, it stays bounded.
    """
    return jnp.arcsinh(response / scale)


def similarity(F: Activations) -> Float[Array, ""]:
    """The mean cosine between the Gram matrices of different pictures; 0 for a single one."""
    grams = jnp.einsum("nhwi,nhwj->nij", F, F).reshape(len(F), -1)
    # A layer that is silent has a Gram matrix of zeros.
    grams /= jnp.linalg.norm(grams, axis=1, keepdims=True) + 1e-12
    pairs = len(F) * (len(F) - 1)
    return (jnp.square(grams.sum(0)).sum() - jnp.square(grams).sum()) / max(1, pairs)
