"""The objective J(G) of an image, and its individual terms."""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from nst_jax.devices.split import Split
from nst_jax.losses import tiling
from nst_jax.losses.content import CONTENT_LOSSES
from nst_jax.losses.kept import Kept, shown
from nst_jax.losses.laplacian import laplacian_loss, outlines
from nst_jax.losses.sharding import split_statistics
from nst_jax.losses.style import STYLE_LOSSES, LayerLosses, fitted_targets, layer_statistics
from nst_jax.losses.variation import total_variation
from nst_jax.losses.weighting import EVERYWHERE, LossWeights
from nst_jax.networks import receptive
from nst_jax.networks.network import Network

LayerNames = tuple[str, ...]
# layer -> region -> the guide over the layer's positions, "1 h w 1", or None for the whole layer
Guides = dict[str, dict[str, Any]]
# layer -> region -> loss -> statistic, or the target that is made of it
Statistics = dict[str, dict[str, dict[str, Any]]]


class Targets(NamedTuple):
    """What the losses compare the image with."""

    content: dict[str, Float[Array, "1 _ _ _"]]  # layer -> the content's activations
    style: Statistics
    outlines: Float[Array, "1 _ _"] | None = None  # of the content


class Sums(NamedTuple):
    """What the terms are made of: sums over the positions of an image."""

    content: dict[str, Array]  # layer -> its loss
    style: Statistics  # of the image
    variation: Array
    laplacian: Array | None  # None without outlines


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Objective:
    """Everything that J(G) depends on besides the image and the network."""

    targets: Targets
    weights: LossWeights
    guides: Guides
    content_loss: str = dataclasses.field(default="sum", metadata={"static": True})
    tile: int = dataclasses.field(default=0, metadata={"static": True})  # pixels; 0: no tiling
    wrap: bool = dataclasses.field(default=False, metadata={"static": True})  # a periodic image
    gray: bool = dataclasses.field(default=False, metadata={"static": True})  # of the picture, see `shown`
    kept: Kept | None = None  # None if a style applies everywhere

    def shown(self, image: Float[Array, "1 _ _ 3"]) -> Float[Array, "1 _ _ 3"]:
        """The picture, or a strip of it, that the losses see of the optimised `image`."""
        return shown(image, self.kept, self.gray)


def make_objective(
    network: Network,
    content: Float[Array, "1 _ _ 3"],
    style: Float[Array, "1 _ _ 3"],
    weights: LossWeights,
    content_loss: str = "sum",
    tile: int = 0,
) -> Objective:
    """Build the objective from a content and a style picture, for the layers in `weights`."""
    guides = everywhere(weights.style)
    found = style_statistics(network, style, guides, weights.layer_losses(), tile)
    targets = Targets(
        content_targets(network, content, tuple(weights.content), tile),
        fitted_to(network, found, (content.shape[1], content.shape[2])),
    )
    return Objective(targets, weights, guides, content_loss, tile)


def everywhere(layers: Iterable[str]) -> Guides:
    """The guides of one style without a mask."""
    return {layer: {EVERYWHERE: None} for layer in layers}


def content_targets(
    network: Network,
    content: Float[Array, "1 _ _ 3"],
    layers: LayerNames,
    tile: int,
    split: Split | None = None,
) -> dict[str, Array]:
    """The content's activations at `layers`."""
    return _jitted_statistics(network, content, layers, {}, (), tile, split)[0]


def style_statistics(
    network: Network,
    style: Float[Array, "1 _ _ 3"],
    guides: Guides,
    losses: LayerLosses,
    tile: int,
    split: Split | None = None,
) -> Statistics:
    """The statistics of the style under `guides`, which are of its size, at the layers of `guides`."""
    present = tuple((layer, names) for layer, names in losses if layer in guides)
    return _jitted_statistics(network, style, (), guides, present, tile, split)[1]


def fitted_to(network: Network, found: Statistics, size: tuple[int, int]) -> Statistics:
    """The targets for a result of `size` (height, width), from the statistics of a style."""
    return {
        layer: {
            region: fitted_targets(by_loss, *receptive.shape(network.geometry, layer, *size))
            for region, by_loss in regions.items()
        }
        for layer, regions in found.items()
    }


def statistics(
    network: Network,
    image: Float[Array, "1 _ _ 3"],
    content: LayerNames,
    guides: Guides,
    losses: LayerLosses,
    tile: int = 0,
    split: Split | None = None,
) -> tuple[dict[str, Array], Statistics]:
    """Activations of `image` at the layers `content`, and the statistics of `losses` under `guides`.

    With a `tile` size it takes less memory, see `nst_jax.losses.tiling`; `split`: `nst_jax.losses.sharding`.
    """
    if split:
        return split_statistics(network, image, content, guides, losses, tile, split)
    if tile:
        return tiling.tiled_statistics(network, image, content, guides, losses, tile)
    F = network(image, tuple({*content, *guides}))
    by_layer = {
        layer: layer_statistics(F[layer], F[layer].shape[1] * F[layer].shape[2], guides[layer], names)
        for layer, names in losses
    }
    return {layer: F[layer] for layer in content}, by_layer


def terms(
    network: Network, objective: Objective, image: Float[Array, "1 _ _ 3"]
) -> dict[str, Float[Array, ""]]:
    """`total = alpha * content + beta * style + tv_weight * tv`, and each of its terms.

    If the objective has outlines, `laplacian_weight * laplacian` is added.
    `content/L` and `style/L` are the losses of layer L without the weight of the layer: `style` is the sum
    over layers of w_L times `style/L`. With more than one style loss, `style/L/NAME` is that of one loss
    without its weight. Gatys et al. 2015, equations 1, 4, 5 and 7.
    """
    targets, losses = objective.targets, objective.weights.layer_losses()
    image = objective.shown(image)
    F, by_layer = statistics(network, image, tuple(targets.content), objective.guides, losses, objective.tile)
    content_loss, drawn = CONTENT_LOSSES[objective.content_loss], targets.outlines
    content = {layer: content_loss(F[layer], P) for layer, P in targets.content.items()}
    laplacian = None if drawn is None else laplacian_loss(outlines(image, objective.wrap), drawn)
    return combined(objective, Sums(content, by_layer, total_variation(image, objective.wrap), laplacian))


def combined(objective: Objective, sums: Sums) -> dict[str, Float[Array, ""]]:
    """The `terms` of the sums over an image."""
    weights, content = objective.weights, sums.content
    by_loss = {layer: _style_distances(objective, layer, found) for layer, found in sums.style.items()}
    several = len({name for distances in by_loss.values() for name in distances}) > 1
    style = {layer: _weighted_sum(found, weights.losses[layer]) for layer, found in by_loss.items()}
    parts = {
        "content": _weighted_sum(content, weights.content),
        "style": _weighted_sum(style, weights.style),
        "tv": sums.variation,
    }
    total = weights.alpha * parts["content"] + weights.beta * parts["style"] + weights.tv * parts["tv"]
    if sums.laplacian is not None:
        parts["laplacian"] = sums.laplacian
        total = total + weights.laplacian * parts["laplacian"]
    return {
        "total": total,
        **parts,
        **{f"content/{layer}": value for layer, value in content.items()},
        **{f"style/{layer}": value for layer, value in style.items()},
        **{
            f"style/{layer}/{name}": value
            for layer, distances in by_loss.items()
            if several
            for name, value in distances.items()
        },
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


def _style_distances(
    objective: Objective, layer: str, by_region: Mapping[str, Mapping[str, Any]]
) -> dict[str, Array]:
    """The distances of one layer's statistics to their targets, by loss, weighted over the regions."""
    shares = objective.weights.regions[layer]
    by_loss = dict.fromkeys(objective.weights.losses[layer], jnp.zeros(()))
    for region, targets in objective.targets.style[layer].items():
        for name, target in targets.items():
            distance = STYLE_LOSSES[name].distance(by_region[region][name], target)
            by_loss[name] += shares[region] * distance
    return by_loss


def _weighted_sum(terms: Mapping[str, Array], weights: Mapping[str, Array]) -> Array:
    return sum((weights[layer] * term for layer, term in terms.items()), start=jnp.zeros(()))


_jitted_statistics = jax.jit(statistics, static_argnums=(2, 4, 5, 6))
