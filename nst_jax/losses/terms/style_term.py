"""The style term: the distances between statistics of the picture and those of the styles.

A relative loss is divided by the size of its target, which is its value for a picture that excites no filter:
|A|^2 / (4 N^2) for Gram matrices, and the mean square of a filter for `w2`.
"""

from collections.abc import Mapping
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
    return {
        layer: {
            region: fitted_targets(by_loss, *receptive.shape(network.geometry, layer, *size))
            for region, by_loss in regions.items()
        }
        for layer, regions in found.items()
    }


def style_sizes(
    targets: Mapping[str, Mapping[str, Any]],
    activations: jax.ShapeDtypeStruct,
    guides: Mapping[str, Any],
    shares: Mapping[str, float],
) -> dict[str, Float[Array, ""]]:
    """The size of a layer's target by loss: an average over regions, weighted by their `shares`.

    `targets` are by region and loss. `activations`, whose shape is enough, and `guides`, by region, are those
    of the result.
    """
    positions = activations.shape[1] * activations.shape[2]
    sizes: dict[str, Array] = {}
    for region, by_loss in targets.items():
        guide = guides[region].values if guides[region] else None
        for name, target in by_loss.items():
            loss = STYLE_LOSSES[name]
            shapes = jax.eval_shape(
                lambda F, T, loss=loss: loss.statistic(F, positions, T), activations, guide
            )
            # The statistic of a picture that excites no filter.
            nothing = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)
            sizes[name] = sizes.get(name, jnp.zeros(())) + shares[region] * loss.distance(nothing, target)
    return {name: jnp.maximum(size, SMALLEST_SIZE) for name, size in sizes.items()}


def _prepare(inputs: Inputs) -> StyleTarget:
    config, (targets, guides, shares, activations) = inputs.config, inputs.style
    weights = dict.fromkeys(targets, 0.0) | config.active_style()
    losses: dict[str, dict[str, Any]] = {}
    for layer, by_region in targets.items():
        strengths: dict[str, Any] = config.losses_at(layer)
        if config.relative_losses and any(shares[layer].values()):
            sizes = style_sizes(by_region, activations[layer], guides[layer], shares[layer])
            strengths = {name: weight / sizes[name] for name, weight in strengths.items()}
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
