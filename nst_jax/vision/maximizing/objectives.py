"""What a picture is to activate, and how different several pictures are to be.

Olah, Mordvintsev & Schubert 2017 ("Feature visualization", Distill), "Optimization objectives" and
"Diversity". F is a layer's activation for n pictures, and `direction` weighs its channels. A unit that is off
has no gradient: F is therefore what enters the layer's last ReLU, through a `leaky` one.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

LEAK = 0.1

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


OBJECTIVES: dict[str, Callable[[Activations, Direction], Float[Array, "n"]]] = {
    "unit": unit,
    "channel": channel,
    "layer": layer_energy,
    "direction": channel,
}


def leaky(entering: Activations) -> Activations:
    """A ReLU with a slope of `LEAK` below 0."""
    # Without a ReLU, the mean of a map would depend most on how far off a unit is where it is off.
    return jax.nn.leaky_relu(entering, LEAK)


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
