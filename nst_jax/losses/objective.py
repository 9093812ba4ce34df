"""J(G): the whole objective of one picture, and its terms one by one."""

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

# Where a style applies and what it is called when there is only one.
EVERYWHERE, ONLY_STYLE = "", "style"
GRAM_ALONE: Mapping[str, float] = MappingProxyType({"gram": 1.0})

LayerNames = tuple[str, ...]


class Targets(NamedTuple):
    """What the losses compare a picture with."""

    content: dict[str, Float[Array, "1 _ _ _"]]  # layer -> the content's activations
    style: dict[str, dict[str, dict[str, dict[str, Any]]]]  # layer -> region -> style -> loss -> statistic


class LossWeights(NamedTuple):
    """alpha, beta and the weights of tv, layers and style losses; arrays, so that they can be swept."""

    alpha: Array
    beta: Array
    tv: Array
    content: dict[str, Array]
    style: dict[str, Array]
    losses: dict[str, Array]


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Objective:
    """All that J(G) depends on besides the image and the network."""

    targets: Targets
    weights: LossWeights
    content_loss: str = dataclasses.field(default="sum", metadata={"static": True})
    tile: int = dataclasses.field(default=0, metadata={"static": True})  # see losses/tiling.py; 0 for none


def make_objective(
    network: Network,
    content: Float[Array, "1 _ _ 3"],
    style: Float[Array, "1 _ _ 3"],
    weights: LossWeights,
    content_loss: str = "sum",
    tile: int = 0,
) -> Objective:
    """The objective whose targets come from two pictures, at the layers that `weights` name."""
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
    """The statistics of the style at `layers` for each of `losses`, as `Targets.style` holds them."""
    found = _jitted_statistics(network, style, (), layers, losses, tile)[1]
    return {layer: {EVERYWHERE: {ONLY_STYLE: by_loss}} for layer, by_loss in found.items()}


def statistics(
    network: Network,
    image: Float[Array, "1 _ _ 3"],
    content: LayerNames,
    style: LayerNames,
    losses: LayerNames,
    tile: int = 0,
) -> tuple[dict[str, Array], dict[str, dict[str, Any]]]:
    """Activations of `image` at the layers `content`; by layer of `style`, the statistic of each loss.

    With a `tile` the result is the same, in less memory: see `nst_jax.losses.tiling`.
    """
    if tile:
        return tiling.tiled_statistics(network, image, content, style, losses, tile)
    F = network(image, tuple({*content, *style}))
    found = {
        layer: {name: STYLE_LOSSES[name].statistic(F[layer], _positions(F[layer])) for name in losses}
        for layer in style
    }
    return {layer: F[layer] for layer in content}, found


def terms(
    network: Network, objective: Objective, image: Float[Array, "1 _ _ 3"]
) -> dict[str, Float[Array, ""]]:
    """`total = alpha * content + beta * style + tv_weight * tv`, and what it is made of.

    `content/L` and `style/L` are the losses of layer L before their weights: `style` is the sum over
    layers of w_L times `style/L`. Gatys et al. 2015, equations 1, 4, 5 and 7.
    """
    weights, targets = objective.weights, objective.targets
    F, found = statistics(
        network, image, tuple(targets.content), tuple(targets.style), tuple(weights.losses), objective.tile
    )
    content_loss = CONTENT_LOSSES[objective.content_loss]
    content = {layer: content_loss(F[layer], P) for layer, P in targets.content.items()}
    style = {layer: _style_term(objective, layer, by_loss) for layer, by_loss in found.items()}
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


def loss_weights(
    alpha: float,
    beta: float,
    tv: float,
    content: Mapping[str, float],
    style: Mapping[str, float],
    losses: Mapping[str, float] = GRAM_ALONE,
) -> LossWeights:
    """`LossWeights` as float32 scalars."""
    numbers: Any = (alpha, beta, tv, dict(content), dict(style), dict(losses))
    return LossWeights(*jax.tree.map(jnp.float32, numbers))


def _style_term(objective: Objective, layer: str, found: Mapping[str, Any]) -> Array:
    """The weighted distances of one layer's statistics to their targets."""
    distances = [
        objective.weights.losses[name] * STYLE_LOSSES[name].distance(found[name], target)
        for styles in objective.targets.style[layer].values()
        for by_loss in styles.values()
        for name, target in by_loss.items()
    ]
    return sum(distances, start=jnp.zeros(()))


def _weighted_sum(terms: Mapping[str, Array], weights: Mapping[str, Array]) -> Array:
    return sum((weights[layer] * term for layer, term in terms.items()), start=jnp.zeros(()))


def _positions(F: Array) -> int:
    return F.shape[1] * F.shape[2]


_jitted_statistics = jax.jit(statistics, static_argnums=(2, 3, 4, 5))
