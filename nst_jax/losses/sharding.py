"""The objective of a picture that is split by rows over devices: the same values, a strip on each device.

Every convolution exchanges one row with the strips above and below. At the top and the bottom of the picture
there is no neighbour, and zeros take its place, which is the network's zero padding. All sums over positions
are computed for the strip and then added up once. Rows below the picture are set to 0 at every layer.
"""

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
from jax.sharding import PartitionSpec as P
from jaxtyping import Array, Float

from nst_jax.devices import strips
from nst_jax.devices.split import ROWS, Split
from nst_jax.losses import tiling
from nst_jax.losses.laplacian import POOLED, outlines
from nst_jax.losses.style import layer_statistics
from nst_jax.networks import receptive
from nst_jax.networks.layers import Layer, blocks, up_to
from nst_jax.networks.network import Network, walk


def strip_multiple(layers: Sequence[Layer], deepest: str, tile: int) -> int:
    """Rows of which a strip must have a multiple so that `deepest` can be computed from it.

    The poolings before it then never straddle two strips, and no halo is larger than a strip.
    """
    needed = up_to(layers, deepest)
    stride = receptive.stride(layers, deepest)
    most = 1
    for index, block in enumerate(blocks(needed)):
        halo = sum(layer.padding for layer in block) if tile else max(layer.padding for layer in block)
        most = max(most, halo << index)
    return -(-max(most, POOLED) // stride) * stride


def split_statistics(
    network: Network,
    image: Float[Array, "1 _ _ 3"],
    content: Sequence[str],
    guides: tiling.GuideTree,
    losses: Sequence[str],
    tile: int,
    split: Split,
) -> tuple[dict[str, Array], dict[str, Any]]:
    """Like `nst_jax.losses.objective.statistics` for arrays on the devices of `split`."""

    def on_device(network: Network, strip: Array, guides: tiling.GuideTree) -> Any:
        F, by_layer = strip_statistics(network, strip, content, guides, losses, tile, split.height)
        return F, strips.summed(by_layer)

    return split.over_strips(on_device, (P(), ROWS, ROWS), (ROWS, P()))(network, image, guides)


def strip_statistics(
    network: Network,
    strip: Float[Array, "1 _ _ 3"],
    content: Sequence[str],
    guides: tiling.GuideTree,
    losses: Sequence[str],
    tile: int,
    height: int,
) -> tuple[dict[str, Float[Array, "1 _ _ _"]], dict[str, Any]]:
    """Activations of a strip of a picture of `height` rows, and its share of each statistic."""
    if tile:
        return tiling.tiled_statistics(network, strip, content, guides, losses, tile, height)
    heights = {
        layer.name: receptive.shape(network.geometry, layer.name, height, strip.shape[2])[0]
        for layer in network.geometry
    }

    def apply(layer: Layer, x: Array) -> Array:
        # The rows that the zero padding of the extended strip reaches are cropped.
        reach = layer.padding
        y = network.apply(layer.name, strips.with_neighbours(x, reach))
        return strips.without_rest(y[:, reach : y.shape[1] - reach], heights[layer.name])

    x = strips.without_rest(network.preprocess(strip), height)
    F = walk(network.geometry, tuple({*content, *guides}), x, apply)
    by_layer = {
        name: layer_statistics(F[name], heights[name] * F[name].shape[2], regions, losses)
        for name, regions in guides.items()
    }
    return {name: F[name] for name in content}, by_layer


def strip_variation(strip: Float[Array, "1 r w c"], height: int) -> Float[Array, ""]:
    """This strip's share of `nst_jax.losses.variation.total_variation` of a picture of `height` rows.

    It includes the differences between its last row and the first one of the strip below.
    """
    rows = strip.shape[1]
    downwards = jnp.diff(strips.with_neighbours(strip, 1)[:, 1:], axis=1)
    across = jnp.diff(strip, axis=2)
    return jnp.sum(jnp.square(downwards) * strips.inside(rows, height - 1)) + jnp.sum(
        jnp.square(across) * strips.inside(rows, height)
    )


def strip_laplacian(
    strip: Float[Array, "1 r w 3"], target: Float[Array, "1 s _"], height: int
) -> Float[Array, ""]:
    """This strip's share of `nst_jax.losses.laplacian.laplacian_loss`; `target` is by `padded_outlines`."""
    found = outlines(strips.with_neighbours(strip, POOLED))
    rows, positions = found.shape[1], (height // POOLED - 2) * found.shape[2]
    seen = strips.inside(rows, height // POOLED - 1)[..., 0] & ~strips.inside(rows, 1)[..., 0]
    return jnp.sum(jnp.where(seen, jnp.square(found - target), 0)) / positions


def padded_outlines(content: Float[Array, "1 _ _ 3"]) -> Float[Array, "1 _ _"]:
    """The outlines of the content with zeros at the first and the last row, which lack a neighbour."""
    return jnp.pad(outlines(content), ((0, 0), (1, 1), (0, 0)))
