"""The objective J(G) of an image, and its individual terms."""

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from nst_jax.losses import tiling
from nst_jax.losses.content import CONTENT_LOSSES
from nst_jax.losses.style import STYLE_LOSSES
from nst_jax.losses.variation import total_variation
from nst_jax.networks.network import Network

# The region and the name of the style if there is only one.
EVERYWHERE, ONLY_STYLE = "", "style"
GRAM_ALONE: Mapping[str, float] = MappingProxyType({"gram": 1.0})

LayerNames = tuple[str, ...]


class Targets(NamedTuple):
    """What the losses compare the image with."""

    content: dict[str, Float[Array, "1 _ _ _"]]  # layer -> the content's activations
    style: dict[str, dict[str, dict[str, dict[str, Any]]]]  # layer -> region -> style -> loss -> statistic


class LossWeights(NamedTuple):
    """alpha, beta and the weights of tv, layers and losses; arrays, so that they can vary in a sweep."""

    alpha: Array
    beta: Array
    tv: Array
    content: dict[str, Array]
    style: dict[str, Array]
    losses: dict[str, Array]


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Objective:
    """Everything that J(G) depends on besides the image and the network."""

    targets: Targets
    weights: LossWeights
    content_loss: str = dataclasses.field(default="sum", metadata={"static": True})
    tile: int = dataclasses.field(default=0, metadata={"static": True})  # pixels; 0: no tiling


def make_objective(
    network: Network,
    content: Float[Array, "1 _ _ 3"],
    style: Float[Array, "1 _ _ 3"],
    weights: LossWeights,
    content_loss: str = "sum",
    tile: int = 0,
) -> Objective:
    """Build the objective from a content and a style picture, for the layers in `weights`."""
    targets = Targets(
        content_targets(network, content, tuple(weights.content), tile),
        style_targets(network, style, tuple(weights.style), tuple(weights.losses), tile),
    )
    return Objective(targets, weights, content_loss, tile)


def content_targets(
    network: Network, content: Float[Array, "1 _ _ 3"], layers: LayerNames, tile: int
) -> dict[str, Array]:
    """The content's activations at `layers`."""
    return _jitted_statistics(network, content, layers, (), (), tile)[0]


def style_targets(
    network: Network, style: Float[Array, "1 _ _ 3"], layers: LayerNames, losses: LayerNames, tile: int
) -> dict[str, dict[str, dict[str, dict[str, Any]]]]:
    """The statistics of the style at `layers` for each of `losses`, in the form of `Targets.style`."""
    by_layer = _jitted_statistics(network, style, (), layers, losses, tile)[1]
    return {layer: {EVERYWHERE: {ONLY_STYLE: by_loss}} for layer, by_loss in by_layer.items()}


def statistics(
    network: Network,
    image: Float[Array, "1 _ _ 3"],
    content: LayerNames,
    style: LayerNames,
    losses: LayerNames,
    tile: int = 0,
) -> tuple[dict[str, Array], dict[str, dict[str, Any]]]:
    """Activations of `image` at the layers `content`, and the statistic of each loss at the layers `style`.

    With a `tile` size the result is the same but takes less memory, see `nst_jax.losses.tiling`.
    """
    if tile:
        return tiling.tiled_statistics(network, image, content, style, losses, tile)
    F = network(image, tuple({*content, *style}))
    by_layer = {
        layer: {name: STYLE_LOSSES[name].statistic(F[layer], _positions(F[layer])) for name in losses}
        for layer in style
    }
    return {layer: F[layer] for layer in content}, by_layer


def terms(
    network: Network, objective: Objective, image: Float[Array, "1 _ _ 3"]
) -> dict[str, Float[Array, ""]]:
    """`total = alpha * content + beta * style + tv_weight * tv`, and each of its terms.

    `content/L` and `style/L` are the losses of layer L without the weight of the layer: `style` is the sum
    over layers of w_L times `style/L`. Gatys et al. 2015, equations 1, 4, 5 and 7.
    """
    weights, targets = objective.weights, objective.targets
    F, by_layer = statistics(
        network, image, tuple(targets.content), tuple(targets.style), tuple(weights.losses), objective.tile
    )
    content_loss = CONTENT_LOSSES[objective.content_loss]
    content = {layer: content_loss(F[layer], P) for layer, P in targets.content.items()}
    style = {layer: _style_term(objective, layer, by_loss) for layer, by_loss in by_layer.items()}
    parts = {
        "content": _weighted_sum(content, weights.content),
        "style": _weighted_sum(style, weights.style),
        "tv": total_variation(image),
    }
    total = weights.alpha * parts["content"] + weights.beta * parts["style"] + weights.tv * parts["tv"]
    return {
        "total": total,
        **parts,
        **{f"content/{layer}": value for layer, value in content.items()},
        **{f"style/{layer}": value for layer, value in style.items()},
    }


def total(network: Network, objective: Objective, image: Float[Array, "1 _ _ 3"]) -> Float[Array, ""]:
    """J(G), the scalar that is minimised."""
    return terms(network, objective, image)["total"]


def total_and_terms(
    network: Network, objective: Objective, image: Float[Array, "1 _ _ 3"]
) -> tuple[Float[Array, ""], dict[str, Float[Array, ""]]]:
    """J(G) and its terms: the form that `nst_jax.optimizers` minimises."""
    by_name = terms(network, objective, image)
    return by_name["total"], by_name


def loss_weights(
    alpha: float,
    beta: float,
    tv: float,
    content: Mapping[str, float],
    style: Mapping[str, float],
    losses: Mapping[str, float] = GRAM_ALONE,
) -> LossWeights:
    """Build `LossWeights` with float32 scalars."""
    numbers: Any = (alpha, beta, tv, dict(content), dict(style), dict(losses))
    return LossWeights(*jax.tree.map(jnp.float32, numbers))


def _style_term(objective: Objective, layer: str, by_loss: Mapping[str, Any]) -> Array:
    """The weighted sum of the distances of one layer's statistics to their targets."""
    distances = [
        objective.weights.losses[name] * STYLE_LOSSES[name].distance(by_loss[name], target)
        for styles in objective.targets.style[layer].values()
        for targets in styles.values()
        for name, target in targets.items()
    ]
    return sum(distances, start=jnp.zeros(()))


def _weighted_sum(terms: Mapping[str, Array], weights: Mapping[str, Array]) -> Array:
    return sum((weights[layer] * term for layer, term in terms.items()), start=jnp.zeros(()))


def _positions(F: Array) -> int:
    return F.shape[1] * F.shape[2]


_jitted_statistics = jax.jit(statistics, static_argnums=(2, 3, 4, 5))
