"""Activations and statistics of an image, computed tile by tile: the same values in less memory.

The network is cut into blocks of a few convolutions, each ending with a pooling. The input of a block is kept
in full, which takes little memory: the poolings of VGG-19 have 30 numbers per pixel, all its activations 290.
Everything else in a block exists for one tile at a time. A tile is computed from a window that is wider by
one position per convolution on each side and contains the actual activations of the neighbours, so the tile
equals that part of the whole image. Additive statistics, such as Gram matrices, are summed over the tiles.
The gradient computes each tile a second time and pulls the cotangents back through it; with a tile as large
as the image, this is rematerialisation by block.
"""

import functools
import math
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float

from nst_jax.devices import exchange
from nst_jax.devices.split import ByRows
from nst_jax.losses.features.evaluator import Evaluator
from nst_jax.losses.features.request import Features, Guides, Request, Statistics, layer_statistics
from nst_jax.losses.features.tile_plan import Block, tile_blocks
from nst_jax.networks.network import Network

Activations = dict[str, Array]
# Which positions of a window are inside the image, and which of its tile belong to the outputs.
Masks = tuple[Bool[Array, "1 _ _ 1"], Bool[Array, "1 _ _ 1"]]


def tiled_features(
    network: Network,
    image: Float[Array, "1 h w 3"],
    request: Request,
    guides: Guides,
    tile: int,
    height: int | None = None,
) -> Features:
    """What `request` finds in `image` under `guides`.

    `tile` is the side of a tile of the first block, in pixels; tiles of deeper blocks hold as many
    activations. Differentiable once, with respect to `image`. Requires layers that support tiling
    (`networks.layers.irregular_layer`) and additive losses. For a strip of an image, pass the `height` of
    the whole.
    """
    F: Activations = {}
    by_layer: Statistics = {}
    x = network.preprocess(image)
    if height:
        x = exchange.zeros_below(x, height)
    size, strip = (height or image.shape[1], image.shape[2]), image.shape[1] if height else 0
    for block in tile_blocks(network, size, request, tile, strip):
        padded = block.columns.extended(block.rows.extended(x, 1), 2)
        placed, summed = _assemble(block, network, padded, _padded_guides(block, guides))
        for name in placed.keys() & set(request.activations):
            height, width = block.placed_size(name)
            F[name] = placed[name][:, :height, :width]
        by_layer |= summed
        x = placed.get(block.layers[-1].name, x)
    return Features(F, by_layer)


def _tile(
    block: Block, network: Network, window: Array, masks: Masks, guides: Guides
) -> tuple[Activations, dict[str, Any]]:
    """Compute the outputs of `block` for one tile from its window.

    `masks` and `guides` are those of the tile.
    Outside the image, activations are set to 0 at every layer, which reproduces the zero padding of the whole
    image. Where a window ends inside the image, its zero padding corrupts one position per convolution; these
    positions are the halo, which is cropped.
    """
    placed, summed = {}, {}
    inner, (inside, counted) = window, masks
    for layer in block.layers:
        if layer.stride == 1:
            window = jnp.where(inside, network.apply(layer.name, window), 0)
            inner = block.without_halo(window)
            if block.rows.whole > block.rows.length:  # the halo below the last tile is not zero
                inner = jnp.where(counted, inner, 0)
        else:
            inner = jnp.where(counted[:, 1::2, 1::2], network.apply(layer.name, inner), 0)
        if layer.name in block.placed:
            placed[layer.name] = inner
        if losses := dict(block.summed).get(layer.name):
            positions = math.prod(block.size(layer.name))
            summed[layer.name] = layer_statistics(inner, positions, guides[layer.name], losses)
    return placed, summed


def _window(block: Block, padded: Array, index: Array) -> tuple[Array, Masks]:
    """A tile with its halo, and its masks."""
    rows, columns = block.rows, block.columns
    corner = block.at(index, rows.tile, columns.tile)
    inside = (rows.inside(corner[1])[:, None] & columns.inside(corner[2]))[None, :, :, None]
    counted = (rows.counted(corner[1])[:, None] & columns.counted(corner[2]))[None, :, :, None]
    window = lax.dynamic_slice(padded, corner, (1, rows.window, columns.window, padded.shape[3]))
    return window, (inside, block.without_halo(inside) & counted)


def _padded_guides(block: Block, guides: Guides) -> Guides:
    """The guides of the layers in `block.summed`, continued by 0 to whole tiles."""

    def pad(name: str, guide: Array) -> Array:
        height, width = block.tile_size(name)
        below, right = height * block.rows.count, width * block.columns.count
        return jnp.pad(guide, ((0, 0), (0, below - guide.shape[1]), (0, right - guide.shape[2]), (0, 0)))

    return _each_guide(pad, {name: guides[name] for name, _ in block.summed})


def _guide_tiles(block: Block, padded: Guides, index: Array) -> Guides:
    """The guides of the tile `index`."""

    def cut(name: str, guide: Array) -> Array:
        size = block.tile_size(name)
        return lax.dynamic_slice(guide, block.at(index, *size), (1, *size, 1))

    return _each_guide(cut, padded)


def _each_guide(change: Callable[[str, Array], Array], guides: Guides) -> Guides:
    return {
        name: {
            region: guide and ByRows(change(name, guide.values), guide.stride)
            for region, guide in regions.items()
        }
        for name, regions in guides.items()
    }


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _assemble(
    block: Block, network: Network, padded: Array, guides: Guides
) -> tuple[Activations, dict[str, Any]]:
    """Compute all tiles of `block`: assemble activations, with 0 outside the image, and sum statistics."""

    def share(padded: Array, index: Array) -> tuple[Activations, Any]:
        return _tile(block, network, *_window(block, padded, index), _guide_tiles(block, guides, index))

    def add(index: Array, whole: tuple[Activations, Any]) -> tuple[Activations, Any]:
        parts, shares = share(padded, index)
        placed = {
            name: lax.dynamic_update_slice(whole[0][name], part, block.at(index, *part.shape[1:3]))
            for name, part in parts.items()
        }
        return placed, jax.tree.map(jnp.add, whole[1], shares)

    # The shapes of one tile give those of all; nothing is computed twice.
    parts, shares = jax.eval_shape(share, padded, jnp.int32(0))
    counts = (1, block.rows.count, block.columns.count, 1)
    placed = {name: jnp.zeros(np.multiply(part.shape, counts)) for name, part in parts.items()}
    return lax.fori_loop(0, block.tiles, add, (placed, jax.tree.map(jnp.zeros_like, shares)))


def _backward(block: Block, residuals: Any, cotangents: Any) -> tuple[None, Array, None]:
    """Compute every tile again, and pull the cotangents of its outputs back to its window."""
    # Without the barrier, XLA would reuse the activations of the forward pass and keep them in memory.
    (network, padded, guides), (placed, shares) = lax.optimization_barrier((residuals, cotangents))

    def add(index: Array, gradient: Array) -> Array:
        window, masks = _window(block, padded, index)
        tiles = _guide_tiles(block, guides, index)
        (parts, _), pull = jax.vjp(lambda window: _tile(block, network, window, masks, tiles), window)
        cotangent = {
            name: lax.dynamic_slice(placed[name], block.at(index, *part.shape[1:3]), part.shape)
            for name, part in parts.items()
        }
        at = block.at(index, block.rows.tile, block.columns.tile)
        # Windows overlap by their halos, where the gradients of several tiles add up.
        before = lax.dynamic_slice(gradient, at, window.shape)
        return lax.dynamic_update_slice(gradient, before + pull((cotangent, shares))[0], at)

    return None, lax.fori_loop(0, block.tiles, add, jnp.zeros_like(padded)), None


_assemble.defvjp(lambda block, *inputs: (_assemble(block, *inputs), inputs), _backward)


@functools.cache  # so that equal evaluators share compiled programs
def tiled(tile: int) -> Evaluator:
    """The evaluator with tiles of this side, in pixels."""
    features = partial(tiled_features, tile=tile)
    return Evaluator(features, features)
