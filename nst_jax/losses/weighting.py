"""The weights of an objective: of its parts, layers, style losses and regions."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array

from nst_jax.losses.style import LayerLosses

# The region of a style without a mask.
EVERYWHERE = ""
GRAM_ALONE: Mapping[str, float] = MappingProxyType({"gram": 1.0})


class LossWeights(NamedTuple):
    """alpha, beta and the weights of tv, layers and losses; arrays, so that they can vary in a sweep."""

    alpha: Array
    beta: Array
    tv: Array
    content: dict[str, Array]
    style: dict[str, Array]
    losses: dict[str, dict[str, Array]]  # layer -> loss -> its weight there
    regions: dict[str, dict[str, Array]]  # layer -> region -> its share of the layer's loss
    laplacian: Array

    def layer_losses(self) -> LayerLosses:
        """The style losses of each layer."""
        return tuple((layer, tuple(by_loss)) for layer, by_loss in self.losses.items())


def loss_weights(
    alpha: float,
    beta: float,
    tv: float,
    content: Mapping[str, ArrayLike],
    style: Mapping[str, float],
    losses: Mapping[str, float] = GRAM_ALONE,
    regions: Mapping[str, Mapping[str, float]] | None = None,
    laplacian: float = 0.0,
    layer_losses: Mapping[str, Mapping[str, ArrayLike]] | None = None,
) -> LossWeights:
    """Build `LossWeights` with float32 scalars; without `regions`, a style applies everywhere.

    `losses` have the same weights at all layers, `layer_losses` one for each layer and loss, in their place.
    """
    each = {layer: dict(losses if layer_losses is None else layer_losses[layer]) for layer in style}
    shares = {layer: dict((regions or {}).get(layer, {EVERYWHERE: 1.0})) for layer in style}
    numbers: Any = (alpha, beta, tv, dict(content), dict(style), each, shares, laplacian)
    return LossWeights(*jax.tree.map(jnp.float32, numbers))
