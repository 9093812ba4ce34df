"""The objective of a picture that is split by rows over devices: the same values, a strip on each device.

Every convolution exchanges one row with the strips above and below. At the top and the bottom of the picture
there is no neighbour, and zeros take its place, which is the network's zero padding. All sums over positions
are computed for the strip and then added up once. Rows below the picture are set to 0 at every layer.
"""

from collections.abc import Sequence

from jax.sharding import PartitionSpec as P
from jaxtyping import Array, Float

from nst_jax.devices import strips
from nst_jax.devices.split import ROWS, Split
from nst_jax.losses import tiling
from nst_jax.losses.features.request import Features, Guides, Request, Statistics, layer_statistics
from nst_jax.losses.terms.laplacian import POOLED
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


def split_features(
    network: Network,
    image: Float[Array, "1 _ _ 3"],
    request: Request,
    guides: Guides,
    tile: int,
    split: Split,
) -> Features:
    """What `request` finds in an `image` on the devices of `split`, as are the `guides`."""

    def on_device(network: Network, strip: Array, guides: Guides) -> tuple[dict[str, Array], Statistics]:
        found = strip_features(network, strip, request, guides, tile, split.height)
        return found.activations, strips.summed(found.statistics)

    on_all = split.over_strips(on_device, (P(), ROWS, ROWS), (ROWS, P()))
    return Features(*on_all(network, image, guides))


def strip_features(
    network: Network,
    strip: Float[Array, "1 _ _ 3"],
    request: Request,
    guides: Guides,
    tile: int,
    height: int,
) -> Features:
    """What `request` finds in a strip of a picture of `height` rows, under the strip's part of `guides`."""
    if tile:
        return tiling.tiled_features(network, strip, request, guides, tile, height)
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
    F = walk(network.geometry, request.layers, x, apply)
    by_layer = {
        layer: layer_statistics(F[layer], heights[layer] * F[layer].shape[2], guides[layer], names)
        for layer, names in request.statistics
    }
    return Features({name: F[name] for name in request.activations}, by_layer)
