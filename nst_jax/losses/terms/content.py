"""The content term: the distance between the activations of the picture and those of the content.

A relative loss is divided by the size of its target, which is its value for a picture that excites no filter:
half of |P|^2. So it is a pure number, 1 for such a picture and 0 for a perfect one, and one set of weights
serves networks and sizes whose losses differ by orders of magnitude.
"""

import dataclasses
import functools
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from nst_jax.devices.split import ByRows
from nst_jax.losses.features.request import Request
from nst_jax.losses.terms.term import SMALLEST_SIZE, Inputs, Seen, Term, weighted_sum
from nst_jax.networks import receptive


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


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class ContentTarget:
    """The content's activations by layer, the weight of each layer, and how they are compared."""

    activations: dict[str, ByRows]
    weights: dict[str, Any]
    loss: str = dataclasses.field(metadata={"static": True})


@functools.partial(jax.jit, static_argnums=(1, 2))
def content_size(target: Float[Array, "1 h w n"], loss: str, positions: int) -> Float[Array, ""]:
    """The size of a layer's target of so many `positions`; the loss is one of `CONTENT_LOSSES`."""
    # Black pictures and silent layers have targets of zeros.
    return jnp.maximum(CONTENT_LOSSES[loss](jnp.zeros_like(target), target, positions), SMALLEST_SIZE)


def _prepare(inputs: Inputs) -> ContentTarget:
    config = inputs.config
    weights: dict[str, Any] = config.active_content()
    activations = inputs.features(Request(tuple(weights)), {}).activations
    layers = sorted({layer for one in inputs.together for layer in one.active_content()})
    # Layers of other lanes: their shapes alone are needed, so nothing is computed for them.
    if missing := tuple(layer for layer in layers if layer not in weights):
        shapes = jax.eval_shape(lambda: inputs.features(Request(missing), {})).activations
        activations |= {layer: jnp.zeros(shape.shape, shape.dtype) for layer, shape in shapes.items()}
    if config.relative_losses:
        for layer, weight in weights.items():
            # Of the whole picture: the activations may be those of one strip.
            positions = math.prod(receptive.shape(inputs.network.geometry, layer, *inputs.size))
            weights[layer] = weight / content_size(activations[layer], config.content_loss, positions)
    weights = dict.fromkeys(layers, 0.0) | weights
    by_rows = {
        layer: ByRows(P, receptive.stride(inputs.network.geometry, layer)) for layer, P in activations.items()
    }
    return ContentTarget(by_rows, jax.tree.map(jnp.float32, weights), config.content_loss)


def _measure(seen: Seen, target: ContentTarget) -> dict[str, Array]:
    loss = CONTENT_LOSSES[target.loss]
    return {
        layer: loss(seen.activations[layer], P.values, seen.positions[layer])
        for layer, P in target.activations.items()
    }


CONTENT = Term(
    prepare=_prepare,
    measure=_measure,
    additive=True,
    value=lambda by_layer, target: (weighted_sum(by_layer, target.weights), by_layer),
    needs=lambda target: (Request(tuple(target.activations)), {}),
    weight=lambda config: config.content_weight,
    always=True,
    parts=lambda config: config.active_content(),
)
