"""The style term: the distances between statistics of the picture and those of the styles.

A relative loss is divided by the size of its target, which is its value for a picture that excites no filter:
|A|^2 / (4 N^2) for Gram matrices, and the mean square of a filter for `w2`.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from nst_jax.losses.features.request import Guides, Request, Statistics
from nst_jax.losses.style import STYLE_LOSSES, fitted_targets
from nst_jax.losses.terms.term import SMALLEST_SIZE, Inputs, Term, Value, weighted_sum
from nst_jax.networks import receptive
from nst_jax.networks.network import Network


class StyleTarget(NamedTuple):
    """The statistics to match, where, and how much each counts."""

    statistics: Statistics
    guides: Guides
    regions: dict[str, dict[str, Array]]  # layer -> region -> its share of the layer's loss
    losses: dict[str, dict[str, Array]]  # layer -> loss -> its weight there
    layers: dict[str, Array]


def fitted_statistics(network: Network, found: Statistics, size: tuple[int, int]) -> Statistics:
    """The targets for a result of `size` (height, width), from the statistics of a style."""
    return _fitted(found, tuple((layer, *receptive.shape(network.geometry, layer, *size)) for layer in found))


@partial(jax.jit, static_argnums=1)
def _fitted(found: Statistics, positions: Sequence[tuple[str, int, int]]) -> Statistics:
    return {
        layer: {region: fitted_targets(by_loss, height, width) for region, by_loss in found[layer].items()}
        for layer, height, width in positions
    }


def style_sizes(
    targets: Statistics,
    activations: Mapping[str, jax.ShapeDtypeStruct],
    guides: Guides,
    shares: Mapping[str, Mapping[str, float]],
) -> dict[str, dict[str, Float[Array, ""]]]:
    """The size of each layer's target by loss: an average over regions, weighted by their `shares`.

    `targets` are by layer, region and loss. `activations`, whose shapes are enough, and `guides`, by region,
    are those of the result.
    """

    def shape(layer: str, region: str, name: str) -> Any:
        F, guide = activations[layer], guides[layer][region]
        statistic, positions = STYLE_LOSSES[name].statistic, F.shape[1] * F.shape[2]
        return jax.eval_shape(lambda F, T: statistic(F, positions, T), F, guide.values if guide else None)

    shapes = {
        layer: {
            region: {name: shape(layer, region, name) for name in by_loss}
            for region, by_loss in regions.items()
        }
        for layer, regions in targets.items()
    }
    leaves, structure = jax.tree.flatten(shapes)
    return _sizes(targets, shares, tuple(leaves), structure)


# One program for all layers: each operation on its own would have to be loaded.
@partial(jax.jit, static_argnums=(2, 3))
def _sizes(
    targets: Statistics, shares: Any, shapes: Sequence[jax.ShapeDtypeStruct], structure: Any
) -> dict[str, dict[str, Array]]:
    # The statistics of a picture that excites no filter.
    nothing = jax.tree.unflatten(structure, [jnp.zeros(one.shape, one.dtype) for one in shapes])
    sizes: dict[str, dict[str, Array]] = {}
    for layer, regions in targets.items():
        of_layer: dict[str, Array] = {}
        for region, by_loss in regions.items():
            for name, target in by_loss.items():
                distance = STYLE_LOSSES[name].distance(nothing[layer][region][name], target)
                of_layer[name] = of_layer.get(name, jnp.zeros(())) + shares[layer][region] * distance
        sizes[layer] = {name: jnp.maximum(size, SMALLEST_SIZE) for name, size in of_layer.items()}
    return sizes


def _prepare(inputs: Inputs) -> StyleTarget:
    config, (targets, guides, shares, activations) = inputs.config, inputs.style
    weights = dict.fromkeys(targets, 0.0) | config.active_style()
    sizes = style_sizes(targets, activations, guides, shares) if config.relative_losses else {}
    losses: dict[str, dict[str, Any]] = {}
    for layer, by_region in targets.items():
        strengths: dict[str, Any] = config.losses_at(layer)
        if sizes and any(shares[layer].values()):
            strengths = {name: weight / sizes[layer][name] for name, weight in strengths.items()}
        losses[layer] = dict.fromkeys(next(iter(by_region.values())), 0.0) | strengths
    return StyleTarget(targets, guides, *jax.tree.map(jnp.float32, (shares, losses, weights)))


def _value(found: Statistics, target: StyleTarget) -> Value:
    """The weighted sum over layers; the parts are each layer's loss, and each loss of several there."""
    by_loss = {layer: _distances(target, layer, by_region) for layer, by_region in found.items()}
    by_layer = {layer: weighted_sum(distances, target.losses[layer]) for layer, distances in by_loss.items()}
    each = {
        f"{layer}/{name}": value for layer, distances in by_loss.items() for name, value in distances.items()
    }
    several = len({name for distances in by_loss.values() for name in distances}) > 1
    return weighted_sum(by_layer, target.layers), by_layer | each if several else by_layer


def _distances(
    target: StyleTarget, layer: str, by_region: Mapping[str, Mapping[str, Any]]
) -> dict[str, Array]:
    """The distances of one layer's statistics to their targets, by loss, weighted over the regions."""
    by_loss = dict.fromkeys(target.losses[layer], jnp.zeros(()))
    for region, targets in target.statistics[layer].items():
        for name, goal in targets.items():
            distance = STYLE_LOSSES[name].distance(by_region[region][name], goal)
            by_loss[name] += target.regions[layer][region] * distance
    return by_loss


STYLE = Term(
    prepare=_prepare,
    measure=lambda seen, target: {layer: seen.statistics[layer] for layer in target.losses},
    additive=True,
    value=_value,
    needs=lambda target: (
        Request(statistics=tuple((layer, tuple(names)) for layer, names in target.losses.items())),
        target.guides,
    ),
    weight=lambda config: config.style_weight,
    always=True,
    parts=lambda config: [
        *config.active_style(),
        *(f"{layer}/{loss}" for layer in config.active_style() for loss in config.losses_at(layer)),
    ],
)
