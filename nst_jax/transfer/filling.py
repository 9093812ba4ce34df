"""What a lane of a session holds for layers and regions that only other jobs of the group use."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from nst_jax.devices.split import Split
from nst_jax.losses import objective
from nst_jax.losses.objective import Guides, Statistics
from nst_jax.losses.style import LayerLosses
from nst_jax.losses.weighting import EVERYWHERE
from nst_jax.networks import receptive
from nst_jax.networks.network import Network
from nst_jax.transfer.job import Job


class Empty(NamedTuple):
    """Shapes of the zeros for what the job of a lane does not set: see `Targets` and `Objective.guides`."""

    content: dict[str, Any]
    style: Statistics
    guides: Guides
    statistics: Statistics  # of the result, which `style` is compared with


def losses_by_layer(jobs: Sequence[Job], layers: Sequence[str]) -> LayerLosses:
    """Return the losses that some job has at each of `layers`."""
    used = {layer: {name for job in jobs for name in job.config.losses_at(layer)} for layer in layers}
    return tuple(
        (layer, tuple(name for name in jobs[0].config.active_losses() if name in used[layer]))
        for layer in layers
    )


def filled_regions(values: Mapping[str, Any], default: Mapping[str, Any]) -> dict[str, Any]:
    """Return the entries of `default`, by layer and region, replaced by those of `values` where present."""
    return {layer: filled(values.get(layer, {}), by_region) for layer, by_region in default.items()}


def filled(values: Mapping[str, Any], default: Mapping[str, Any]) -> dict[str, Any]:
    """Return the entries of `default`, replaced by those of `values` where present; shapes become zeros."""
    return {
        name: values[name] if name in values else jax.tree.map(_zeros, value)
        for name, value in default.items()
    }


def _zeros(leaf: Any) -> Any:
    is_shape = isinstance(leaf, jax.ShapeDtypeStruct)
    return jnp.zeros(leaf.shape, leaf.dtype) if is_shape else leaf


def empty_shapes(
    network: Network,
    shape: tuple[int, ...],
    content_layers: Sequence[str],
    style_layers: Sequence[str],
    regions: Sequence[str],
    losses: LayerLosses,
    split: Split | None,
) -> Empty:
    """Return the shapes for all layers and regions of a group and a result of `shape`."""

    def guide(layer: str, region: str) -> Any:
        if region == EVERYWHERE:
            return None
        size = receptive.shape(network.geometry, layer, *shape[1:3])
        return jax.ShapeDtypeStruct((1, *size, 1), jnp.float32)

    guides = {layer: {region: guide(layer, region) for region in regions} for layer in style_layers}

    def shapes(network: Any, image: Any, guides: Guides) -> tuple[Any, Statistics, Statistics]:
        found = objective.statistics(network, image, tuple(content_layers), guides, losses, split=split)
        return *found, objective.fitted_to(network, found[1], (shape[1], shape[2]))

    image = jax.ShapeDtypeStruct(shape, jnp.float32)
    content, statistics, style = jax.eval_shape(shapes, network, image, guides)
    return Empty(content, style, guides, statistics)
