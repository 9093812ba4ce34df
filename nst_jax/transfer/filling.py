"""What a lane of a session holds for style layers and regions that only other jobs of the group use."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from nst_jax.devices.split import ByRows
from nst_jax.losses.features.request import EVERYWHERE
from nst_jax.losses.style import STYLE_LOSSES, LayerLosses, target_shapes
from nst_jax.losses.terms.term import StyleTargets
from nst_jax.networks import receptive
from nst_jax.transfer.job import Job


def empty_targets(jobs: Sequence[Job], losses: LayerLosses, scale: float) -> StyleTargets:
    """Return the shapes for results at `scale`; style targets have those of the largest job."""
    network, layers = jobs[0].network, tuple(layer for layer, _ in losses)
    sizes = {layer: receptive.shape(network.geometry, layer, *jobs[0].size_at(scale)) for layer in layers}
    regions = tuple(dict.fromkeys(style.region for style in jobs[0].styles))

    def target(layer: str, region: str) -> Any:
        filters, names = F[layer].shape[-1], dict(losses)[layer]
        # The targets of additive statistics do not depend on the size of the style.
        pools: set[tuple[tuple[int, int], ...]] = {(sizes[layer],)}
        if not all(STYLE_LOSSES[name].additive for name in names):
            pools = {style_layer_sizes(job, region, layer, scale) for job in jobs} - {()} or pools
        shapes = (target_shapes(names, pool, filters, *sizes[layer]) for pool in pools)
        return jax.tree.map(_largest, *shapes)

    def guide(layer: str, region: str) -> Any:
        if region == EVERYWHERE:
            return None
        shape = jax.ShapeDtypeStruct((1, *sizes[layer], 1), jnp.float32)
        return ByRows(shape, receptive.stride(network.geometry, layer))

    image = jax.ShapeDtypeStruct(jobs[0].shape_at(scale), jnp.float32)
    F = jax.eval_shape(lambda network, image: network(image, layers), network, image)
    targets, guides = (
        {layer: {region: of(layer, region) for region in regions} for layer in layers}
        for of in (target, guide)
    )
    return StyleTargets(targets, guides, {layer: dict.fromkeys(regions, 0.0) for layer in layers}, F)


def losses_by_layer(jobs: Sequence[Job]) -> LayerLosses:
    """Return the losses that some job has at each layer."""
    layers = sorted({layer for job in jobs for layer in job.config.active_style()})
    used = {layer: {name for job in jobs for name in job.config.losses_at(layer)} for layer in layers}
    return tuple(
        (layer, tuple(name for name in jobs[0].config.active_losses() if name in used[layer]))
        for layer in layers
    )


def filled(found: Sequence[dict[str, dict[str, Any]]], empty: StyleTargets) -> StyleTargets:
    """Return the targets, guides and shares that are `found` for a job, and zeros where `empty` has more.

    Rows of a target are repeated if those of another job have more.
    """

    def completed(by_layer: dict[str, dict[str, Any]], shapes: dict[str, dict[str, Any]]) -> dict[str, Any]:
        return {
            layer: {
                region: jax.tree.map(_repeated, by_layer[layer][region], like)
                if region in by_layer.get(layer, {})
                else jax.tree.map(_zeros, like)
                for region, like in by_region.items()
            }
            for layer, by_region in shapes.items()
        }

    targets, guides, shares = map(completed, found, empty[:3])
    return StyleTargets(targets, guides, shares, empty.activations)


def _repeated(target: Any, like: Any) -> Any:
    # Repeated rows change no distance, see `StyleLoss`.
    missing = jnp.shape(like)[:1] > jnp.shape(target)[:1]  # never true of a scalar
    return jnp.resize(target, like.shape) if missing else target


def _zeros(leaf: Any) -> Any:
    is_shape = isinstance(leaf, jax.ShapeDtypeStruct)
    return jnp.zeros(leaf.shape, leaf.dtype) if is_shape else leaf


def _largest(*shapes: jax.ShapeDtypeStruct) -> jax.ShapeDtypeStruct:
    lengths = tuple(max(lengths) for lengths in zip(*(one.shape for one in shapes), strict=True))
    return jax.ShapeDtypeStruct(lengths, shapes[0].dtype)


def style_layer_sizes(job: Job, region: str, layer: str, scale: float) -> tuple[tuple[int, int], ...]:
    """Return the positions (height, width) of `layer` for each picture of the styles that set it."""
    return tuple(
        receptive.shape(job.network.geometry, layer, *job.style_size(style, picture, scale))
        for style in job.styles
        if style.region == region and layer in style.layers
        for picture in style.pictures
    )
