"""How a picture is cut into tiles, block by block of the network; `nst_jax.losses.tiling` computes them."""

import dataclasses
import math
from collections.abc import Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool

from nst_jax.networks.architectures import Layer, blocks, up_to
from nst_jax.networks.network import Network

# Sides of tiles are multiples of this: pooling needs even ones.
ALIGNMENT = 4


@dataclasses.dataclass(frozen=True)
class Axis:
    """How one side of a block's input, `length` positions, is cut into `count` tiles of `tile` positions."""

    length: int
    count: int
    tile: int
    halo: int  # positions of the neighbours that a window sees on either side

    @classmethod
    def cut(cls, length: int, side: int, halo: int) -> "Axis":
        """Tiles of about `side` positions at most, as equal as can be; a single one has no halo."""
        if length <= side:
            return cls(length, 1, length, 0)
        tile = math.ceil(length / math.ceil(length / side) / ALIGNMENT) * ALIGNMENT
        return cls(length, math.ceil(length / tile), tile, halo)

    @property
    def window(self) -> int:
        """Positions of a tile and its halo."""
        return self.tile + 2 * self.halo

    def padding(self, length: int) -> tuple[int, int, int]:
        """What `lax.pad` is to add to `length` positions, or cut off, so that they hold all windows."""
        return self.halo, self.count * self.tile + self.halo - length, 0

    def inside(self, start: Array) -> Bool[Array, "window"]:
        """Which positions of the window around the tile at `start` are the picture's."""
        positions = start - self.halo + jnp.arange(self.window)
        return (positions >= 0) & (positions < self.length)


@dataclasses.dataclass(frozen=True)
class Block:
    """Layers up to a pooling or to the last needed, what to keep of them, and how their input is cut."""

    layers: tuple[Layer, ...]
    placed: tuple[str, ...]  # layers kept as activations
    summed: tuple[str, ...]  # layers kept as statistics, one for each of `losses`
    losses: tuple[str, ...]
    rows: Axis
    columns: Axis

    @property
    def tiles(self) -> int:
        """How many tiles the block is computed in."""
        return self.rows.count * self.columns.count

    def at(self, index: Array, height: int, width: int) -> tuple[Any, ...]:
        """Where a tile begins, by its number, in an array with `height` rows and `width` columns of each."""
        return 0, index // self.columns.count * height, index % self.columns.count * width, 0

    def size(self, name: str) -> tuple[int, int]:
        """Rows and columns of the block's layer `name` over the whole picture."""
        halvings = next(layer.stride > 1 for layer in self.layers if layer.name == name)
        return self.rows.length >> halvings, self.columns.length >> halvings

    def without_halo(self, window: Array) -> Array:
        """`window` without what it sees of its neighbours."""
        (top, height), (left, width) = ((axis.halo, axis.tile) for axis in (self.rows, self.columns))
        return window[:, top : top + height, left : left + width]


def misfit(layers: Sequence[Layer]) -> Layer | None:
    """The first of `layers` that tiles cannot be cut through, if any.

    They pass same-padded layers of stride 1 and windows of 2 at stride 2.
    """
    for layer in layers:
        same = layer.stride == 1 and layer.kernel == 2 * layer.padding + 1
        halving = (layer.kernel, layer.stride, layer.padding) == (2, 2, 0)
        if not (same or halving):
            return layer
    return None


def tile_blocks(
    network: Network,
    size: tuple[int, int],
    content: Sequence[str],
    style: Sequence[str],
    losses: Sequence[str],
    tile: int,
) -> Iterator[Block]:
    """The blocks of `network` that the layers need, cut for a picture of `size`, height and width."""
    if not content and not style:
        return
    last = max({*content, *style}, key=network.layers.index)
    groups = blocks(up_to(network.geometry, last))
    channels = _channels(network, last)
    budget = tile**2 * _activations(groups[0], channels)
    for index, layers in enumerate(groups):
        side = int(math.sqrt(budget / _activations(layers, channels)))
        halo = sum(layer.padding for layer in layers)
        rows, columns = (Axis.cut(length >> index, side, halo) for length in size)
        names = [layer.name for layer in layers]
        deeper = index + 1 < len(groups)
        placed = tuple(name for name in names if name in content or (deeper and name == names[-1]))
        summed = tuple(name for name in names if name in style)
        yield Block(layers, placed, summed, tuple(losses), rows, columns)


def _channels(network: Network, last: str) -> dict[str, int]:
    """How many filters each layer up to `last` has."""
    names = [layer.name for layer in up_to(network.geometry, last)]
    side = 2 ** len(blocks(network.geometry))  # enough for every layer to have an output
    image = jax.ShapeDtypeStruct((1, side, side, 3), jnp.float32)
    shapes = jax.eval_shape(lambda network, x: network(x, names), network, image)
    return {name: shapes[name].shape[-1] for name in names}


def _activations(layers: Sequence[Layer], channels: dict[str, int]) -> int:
    """How many numbers the layers make at each position of their input, which poolings share."""
    return sum(channels[layer.name] for layer in layers if layer.stride == 1)
