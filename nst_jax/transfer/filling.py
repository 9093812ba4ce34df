"""What a lane of a session holds for layers and regions that only other jobs of the group use."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from nst_jax.devices.split import Split
from nst_jax.losses import objective
from nst_jax.losses.objective import Guides, Statistics
from nst_jax.losses.style import STYLE_LOSSES, LayerLosses, target_shapes
from nst_jax.losses.weighting import EVERYWHERE
from nst_jax.networks import receptive
from nst_jax.networks.network import Network
from nst_jax.transfer.job import Job
from nst_jax.transfer.targets import style_layer_sizes


class Empty(NamedTuple):
    """Shapes of the zeros for what the job of a lane does not set: see `Targets` and `Objective.guides`."""

    content: dict[str, Any]
    style: Statistics
    guides: Guides
    activations: dict[str, Any]  # of the result at the style layers


def empty_shapes(
    jobs: Sequence[Job],
    content_layers: Sequence[str],
    losses: LayerLosses,
    scale: float,
    shape: tuple[int, ...],
    split: Split | None,
) -> Empty:
    """Return the shapes for results of `shape` at `scale`; style targets have those of the largest job."""
    network, layers = jobs[0].network, tuple(layer for layer, _ in losses)
    sizes = {layer: receptive.shape(network.geometry, layer, *shape[1:3]) for layer in layers}
    regions = tuple(dict.fromkeys(style.region for style in jobs[0].styles))

    def activations(network: Network, image: Any) -> Any:
        content = objective.content_targets(network, image, tuple(content_layers), 0, split)
        return content, network(image, layers)

    def target(layer: str, region: str) -> Any:
        filters, names = F[layer].shape[-1], dict(losses)[layer]
        pools: set[tuple[tuple[int, int], ...]] = {(sizes[layer],)}
        if not all(STYLE_LOSSES[name].additive for name in names):
            pools = {style_layer_sizes(job, region, layer, scale) for job in jobs} - {()} or pools
        shapes = (target_shapes(names, pool, filters, *sizes[layer]) for pool in pools)
        return jax.tree.map(_largest, *shapes)

    def guide(layer: str, region: str) -> Any:
        return None if region == EVERYWHERE else jax.ShapeDtypeStruct((1, *sizes[layer], 1), jnp.float32)

    content, F = jax.eval_shape(activations, network, jax.ShapeDtypeStruct(shape, jnp.float32))
    style, guides = (
        {layer: {region: of(layer, region) for region in regions} for layer in layers}
        for of in (target, guide)
    )
    return Empty(content, style, guides, F)


def losses_by_layer(jobs: Sequence[Job], layers: Sequence[str]) -> LayerLosses:
    """Return the losses that some job has at each of `layers`."""
    used = {layer: {name for job in jobs for name in job.config.losses_at(layer)} for layer in layers}
    return tuple(
        (layer, tuple(name for name in jobs[0].config.active_losses() if name in used[layer]))
        for layer in layers
    )


def filled_targets(targets: Statistics, default: Statistics) -> Statistics:
    """Return `default` with the entries of `targets`, whose rows are repeated to the shapes in `default`."""
    return {
        layer: {
            region: jax.tree.map(_repeated, targets[layer][region], shapes)
            if region in targets.get(layer, {})
            else jax.tree.map(_zeros, shapes)
            for region, shapes in by_region.items()
        }
        for layer, by_region in default.items()
    }


def filled_regions(values: Mapping[str, Any], default: Mapping[str, Any]) -> dict[str, Any]:
    """Return the entries of `default`, by layer and region, replaced by those of `values` where present."""
    return {layer: filled(values.get(layer, {}), by_region) for layer, by_region in default.items()}


def filled(values: Mapping[str, Any], default: Mapping[str, Any]) -> dict[str, Any]:
    """Return the entries of `default`, replaced by those of `values` where present; shapes become zeros."""
    return {
        name: values[name] if name in values else jax.tree.map(_zeros, value)
        for name, value in default.items()
    }


def _repeated(target: Any, like: Any) -> Any:
    missing = like.shape[:1] > target.shape[:1]  # never true of a scalar
    return jnp.resize(target, like.shape) if missing else target


def _zeros(leaf: Any) -> Any:
    is_shape = isinstance(leaf, jax.ShapeDtypeStruct)
    return jnp.zeros(leaf.shape, leaf.dtype) if is_shape else leaf


def _largest(*shapes: jax.ShapeDtypeStruct) -> jax.ShapeDtypeStruct:
    lengths = tuple(max(lengths) for lengths in zip(*(one.shape for one in shapes), strict=True))
    return jax.ShapeDtypeStruct(lengths, shapes[0].dtype)
