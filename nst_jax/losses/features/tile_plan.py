"""The tiles of an image for each block of the network; `nst_jax.losses.features.tiled` computes them."""

import dataclasses
import math
from collections.abc import Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool

from nst_jax.devices import exchange
from nst_jax.losses.features.request import Request
from nst_jax.losses.style import LayerLosses
from nst_jax.networks.architectures import Layer, blocks, up_to
from nst_jax.networks.network import Network

# Tile sides are multiples of this; pooling requires even sides.
ALIGNMENT = 4


@dataclasses.dataclass(frozen=True)
class Axis:
    """How one axis of a block's input, `length` positions, is cut into `count` tiles of `tile` positions.

    With `strip_of`, they are the rows of one strip of an image of so many rows, and the halo holds rows of
    the strips beside it.
    """

    length: int
    count: int
    tile: int
    halo: int  # positions of the neighbouring tiles that a window includes on each side
    strip_of: int = 0

    @classmethod
    def cut(cls, length: int, side: int, halo: int, strip_of: int = 0) -> "Axis":
        """Cut into equal tiles of at most about `side` positions."""
        if length <= side:  # a single tile has neighbours in other strips only
            return cls(length, 1, length, halo if strip_of else 0, strip_of)
        # Tiles of one size share a program; the last one continues beyond the image.
        tile = math.ceil(length / math.ceil(length / side) / ALIGNMENT) * ALIGNMENT
        return cls(length, math.ceil(length / tile), tile, halo, strip_of)

    @property
    def window(self) -> int:
        """The length of a tile with its halo."""
        return self.tile + 2 * self.halo

    @property
    def whole(self) -> int:
        """The positions of the whole image."""
        return self.strip_of or self.length

    def extended(self, x: Array, axis: int) -> Array:
        """`x` with what is around it, so that it holds all windows; a last odd position is cropped.

        There are zeros around an image, and rows of its neighbours above and below a strip.
        """
        before = 0 if self.strip_of else self.halo
        if self.strip_of:
            x = exchange.with_neighbours(x, self.halo)
        # `lax.pad` takes a negative amount too, which crops.
        ends = [(0, 0, 0)] * x.ndim
        ends[axis] = (before, self.count * self.tile + 2 * self.halo - before - x.shape[axis], 0)
        return lax.pad(x, jnp.zeros((), x.dtype), ends)

    def inside(self, start: Array) -> Bool[Array, "window"]:
        """Which positions of the window around the tile at `start` are inside the whole image."""
        first = exchange.first_row(self.length) if self.strip_of else 0
        positions = first + start - self.halo + jnp.arange(self.window)
        return (positions >= 0) & (positions < self.whole)

    def counted(self, start: Array) -> Bool[Array, "tile"]:
        """Which positions of the tile at `start` belong to its outputs."""
        return start + jnp.arange(self.tile) < self.length


@dataclasses.dataclass(frozen=True)
class Block:
    """Layers up to a pooling or the last needed layer, their outputs, and the tiles of their input."""

    layers: tuple[Layer, ...]
    placed: tuple[str, ...]  # layers whose activations are returned
    summed: LayerLosses  # layers whose statistics are returned, and of which losses
    rows: Axis
    columns: Axis

    @property
    def tiles(self) -> int:
        """The number of tiles of the block."""
        return self.rows.count * self.columns.count

    def at(self, index: Array, height: int, width: int) -> tuple[Any, ...]:
        """The start of tile `index` in an array with `height` rows and `width` columns per tile."""
        return 0, index // self.columns.count * height, index % self.columns.count * width, 0

    def size(self, name: str) -> tuple[int, int]:
        """Rows and columns of the block's layer `name` for the whole image."""
        return self.rows.whole >> self._halvings(name), self.columns.whole >> self._halvings(name)

    def placed_size(self, name: str) -> tuple[int, int]:
        """Rows and columns of the block's layer `name` for what is computed here."""
        return self.rows.length >> self._halvings(name), self.columns.length >> self._halvings(name)

    def tile_size(self, name: str) -> tuple[int, int]:
        """Rows and columns of the block's layer `name` for one tile."""
        return self.rows.tile >> self._halvings(name), self.columns.tile >> self._halvings(name)

    def _halvings(self, name: str) -> int:
        return next(layer.stride > 1 for layer in self.layers if layer.name == name)

    def without_halo(self, window: Array) -> Array:
        """`window` cropped to its tile."""
        (top, height), (left, width) = ((axis.halo, axis.tile) for axis in (self.rows, self.columns))
        return window[:, top : top + height, left : left + width]


def tile_blocks(
    network: Network, size: tuple[int, int], request: Request, tile: int, strip: int = 0
) -> Iterator[Block]:
    """Yield the blocks of `network` up to the last layer of `request`, for pictures of this height and width.

    `tile` is the side of the tiles of the first block; those of the others hold as many activations. With
    `strip`, only so many rows of the image are cut, see `nst_jax.devices.exchange`.
    """
    if not request.layers:
        return
    last = max(request.layers, key=network.layers.index)
    groups = blocks(up_to(network.geometry, last))
    channels = _channels(network, last)
    # Deeper blocks have more filters and fewer positions: with as many activations in a tile,
    # no block needs more memory than the first.
    budget = tile**2 * _activations(groups[0], channels)
    for index, layers in enumerate(groups):
        side = int(math.sqrt(budget / _activations(layers, channels)))
        halo = sum(layer.padding for layer in layers)
        rows, columns = (Axis.cut(length >> index, side, halo) for length in size)
        if strip:
            rows = Axis.cut(strip >> index, side, halo, strip_of=size[0] >> index)
        names = [layer.name for layer in layers]
        # The input of the next block is kept whole: that is all that tiles hand on.
        deeper = index + 1 < len(groups)
        wanted = {*request.activations, *(names[-1:] if deeper else ())}
        placed = tuple(name for name in names if name in wanted)
        summed = tuple((layer, losses) for layer, losses in request.statistics if layer in names)
        yield Block(layers, placed, summed, rows, columns)


def _channels(network: Network, last: str) -> dict[str, int]:
    """The number of filters of each layer up to `last`."""
    names = [layer.name for layer in up_to(network.geometry, last)]
    side = 2 ** len(blocks(network.geometry))  # enough for every layer to have an output
    image = jax.ShapeDtypeStruct((1, side, side, 3), jnp.float32)
    shapes = jax.eval_shape(lambda network, x: network(x, names), network, image)
    return {name: shapes[name].shape[-1] for name in names}


def _activations(layers: Sequence[Layer], channels: dict[str, int]) -> int:
    """The number of activations per position of the block's input, without those of the pooling."""
    return sum(channels[layer.name] for layer in layers if layer.stride == 1)
