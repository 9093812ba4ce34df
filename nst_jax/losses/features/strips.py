"""The objective of a picture that is split by rows over devices: the same values, a strip on each device.

Every convolution exchanges one row with the strips above and below. At the top and the bottom of the picture
there is no neighbour, and zeros take its place, which is the network's zero padding. All sums over positions
are computed for the strip and then added up once. Rows below the picture are set to 0 at every layer.
"""

import functools
from collections.abc import Sequence
from functools import partial
from typing import Any

import jax
from jax.sharding import PartitionSpec as P
from jaxtyping import Array, Float

from nst_jax.devices import exchange
from nst_jax.devices.split import ROWS, Split, specs
from nst_jax.losses.features.evaluator import Evaluator, Loss
from nst_jax.losses.features.request import Features, Guides, Request, layer_statistics
from nst_jax.losses.features.tiled import tiled_features
from nst_jax.networks import receptive
from nst_jax.networks.layers import Layer, blocks, up_to
from nst_jax.networks.network import Network, walk


def strip_multiple(layers: Sequence[Layer], deepest: str, tile: int, rows: int) -> int:
    """Rows of which a strip must have a multiple so that `deepest` can be computed from it; at least `rows`.

    The poolings before it then never straddle two strips, and no halo is larger than a strip.
    """
    needed = up_to(layers, deepest)
    stride = receptive.stride(layers, deepest)
    most = rows
    for index, block in enumerate(blocks(needed)):
        halo = sum(layer.padding for layer in block) if tile else max(layer.padding for layer in block)
        most = max(most, halo << index)
    return -(-most // stride) * stride


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
        return tiled_features(network, strip, request, guides, tile, height)
    heights = {
        layer.name: receptive.shape(network.geometry, layer.name, height, strip.shape[2])[0]
        for layer in network.geometry
    }

    def apply(layer: Layer, x: Array) -> Array:
        # The rows that the zero padding of the extended strip reaches are cropped.
        reach = layer.padding
        y = network.apply(layer.name, exchange.with_neighbours(x, reach))
        return exchange.zeros_below(y[:, reach : y.shape[1] - reach], heights[layer.name])

    x = exchange.zeros_below(network.preprocess(strip), height)
    F = walk(network.geometry, request.layers, x, apply)
    by_layer = {
        layer: layer_statistics(F[layer], heights[layer] * F[layer].shape[2], guides[layer], names)
        for layer, names in request.statistics
    }
    return Features({name: F[name] for name in request.activations}, by_layer)


@functools.cache  # so that equal evaluators share compiled programs
def in_strips(split: Split, tile: int) -> Evaluator:
    """The evaluator on the devices of `split`, each with tiles of a side of `tile` pixels unless it is 0."""
    features = partial(strip_features, tile=tile, height=split.height)

    def program(network: Network, picture: Array, request: Request, guides: Guides) -> Features:
        def on_device(network: Network, strip: Array, guides: Guides) -> tuple[Any, Any]:
            found = features(network, strip, request, guides)
            return found.activations, exchange.summed(found.statistics)

        on_all = split.over_strips(on_device, (P(), ROWS, specs(guides)), (ROWS, P()))
        return Features(*on_all(network, picture, guides))

    return Evaluator(
        features,
        program,
        loss=partial(_loss_of_whole, split),
        summed=exchange.summed,
        place=split.place_tree,
        abstract=split.abstract,
        height=split.height,
    )


def _loss_of_whole(split: Split, loss: Loss) -> Loss:
    """A loss and its terms, which `loss` computes on each device, the same on all of them.

    Differentiable once, with respect to the image. Each device computes the gradient of its own strip.
    """
    gradient = jax.value_and_grad(loss, argnums=2, has_aux=True)

    def evaluated(network: Network, objective: Any, image: Array) -> tuple[Any, Array]:
        on_all = split.over_strips(gradient, (P(), specs(objective), ROWS), (P(), ROWS))
        return on_all(network, objective, image)

    # The gradient comes with the value: whoever asks for one gets both from one pass.
    @jax.custom_vjp
    def whole(network: Network, objective: Any, image: Array) -> Any:
        return evaluated(network, objective, image)[0]

    whole.defvjp(evaluated, lambda gradient, cotangents: (None, None, cotangents[0] * gradient))
    return whole
