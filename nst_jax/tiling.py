"""What the objective needs of a picture, computed tile by tile: equal to the whole, in less memory.

The network is cut into its blocks, each a few convolutions that a pooling closes. A block's input is held
whole, which takes little: the poolings of VGG-19 keep 30 numbers a pixel where its activations are 290. All
else that a block makes lives in one tile at a time. A tile is computed from a window that is wider by one
position a convolution, its neighbours' own activations, so it comes out as in the whole picture; Gram
matrices are sums over tiles, and so are global. The gradient computes each tile a second time and pulls the
cotangents back through it: a tile as large as the picture is rematerialisation, block by block.
"""

import dataclasses
import math
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float

from nst_jax import losses
from nst_jax.networks import VGG
from nst_jax.networks.pool import POOLS
from nst_jax.networks.vgg import preprocess

# Sides of tiles are multiples of this: pooling needs even ones.
ALIGNMENT = 4

Named = dict[str, Array]


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

    layers: tuple[str, ...]
    placed: tuple[str, ...]  # kept as activations
    summed: tuple[str, ...]  # kept as Gram matrices
    rows: Axis
    columns: Axis

    @property
    def tiles(self) -> int:
        """How many tiles the block is computed in."""
        return self.rows.count * self.columns.count

    def at(self, index: Array, height: int, width: int) -> tuple[Any, ...]:
        """Where a tile begins, by its number, in an array with `height` rows and `width` columns of each."""
        return 0, index // self.columns.count * height, index % self.columns.count * width, 0


def statistics(
    network: VGG, image: Float[Array, "1 h w 3"], content: Sequence[str], style: Sequence[str], tile: int
) -> tuple[dict[str, Float[Array, "1 _ _ _"]], dict[str, Float[Array, "n n"]]]:
    """Activations of `image` at the layers `content`, and Gram matrices at the layers `style`.

    `tile` is the side of a tile of the first block, in pixels; deeper blocks take tiles that hold as many
    activations. Differentiable once, with respect to `image`.
    """
    F: Named = {}
    G: Named = {}
    x = preprocess(image, network.preprocessing)
    for block in plan(network, (image.shape[1], image.shape[2]), content, style, tile):
        rows, columns = block.rows.padding(x.shape[1]), block.columns.padding(x.shape[2])
        padded = lax.pad(x, 0.0, ((0, 0, 0), rows, columns, (0, 0, 0)))
        placed, summed = _assemble(block, network, padded)
        for name in placed.keys() & set(content):
            height, width = _size(block, name)
            F[name] = placed[name][:, :height, :width]
        G |= summed
        x = placed.get(block.layers[-1], x)
    return F, G


def plan(
    network: VGG, size: tuple[int, int], content: Sequence[str], style: Sequence[str], tile: int
) -> Iterator[Block]:
    """The blocks of `network` that the layers need, cut for a picture of `size`, height and width."""
    if not content and not style:
        return
    groups = _groups(network.layers, {*content, *style})
    budget = tile**2 * _activations(network, groups[0])
    for index, layers in enumerate(groups):
        side = int(math.sqrt(budget / _activations(network, layers)))
        halo = sum(name in network.convs for name in layers)
        rows, columns = (Axis.cut(length >> index, side, halo) for length in size)
        deeper = index + 1 < len(groups)
        placed = tuple(name for name in layers if name in content or (deeper and name == layers[-1]))
        yield Block(layers, placed, tuple(name for name in layers if name in style), rows, columns)


def _groups(layers: Sequence[str], wanted: set[str]) -> list[tuple[str, ...]]:
    """The layers up to the last wanted one, block by block."""
    last = max(layers.index(name) for name in wanted)
    groups: list[tuple[str, ...]] = [()]
    for name in layers[: last + 1]:
        groups[-1] += (name,)
        if name.startswith("pool") and name != layers[last]:
            groups.append(())
    return groups


def _activations(network: VGG, layers: Sequence[str]) -> int:
    """How many numbers the convolutions among `layers` make at each position."""
    return sum(network.convs[name].bias.shape[0] for name in layers if name in network.convs)


def _tile(block: Block, network: VGG, window: Array, inside: Array) -> tuple[Named, Named]:
    """One tile's share of what `block` keeps, from the window around it; `inside` says where the picture is.

    Beyond the picture activations are 0 at every layer, as its own zero padding has them. Where a window ends
    within the picture, its zero padding spoils one position a convolution: the halo, which is cut off.
    """
    placed, summed = {}, {}
    own_inside = _own(block, inside)
    for name in block.layers:
        if name in network.convs:
            window = jnp.where(inside, network.convs[name](window), 0)
            own = _own(block, window)
        else:
            own = POOLS[network.pool](own)
            own = jnp.where(own_inside[:, 1::2, 1::2], own, 0)
        if name in block.placed:
            placed[name] = own
        if name in block.summed:
            share = own.shape[1] * own.shape[2] / math.prod(_size(block, name))
            summed[name] = losses.gram(own) * share
    return placed, summed


def _own(block: Block, window: Array) -> Array:
    """`window` without its halo."""
    (top, height), (left, width) = ((axis.halo, axis.tile) for axis in (block.rows, block.columns))
    return window[:, top : top + height, left : left + width]


def _size(block: Block, name: str) -> tuple[int, int]:
    """Height and width of a layer over the whole picture."""
    halvings = name.startswith("pool")
    return block.rows.length >> halvings, block.columns.length >> halvings


def _window(block: Block, padded: Array, index: Array) -> tuple[Array, Array]:
    """A tile with its halo, and which of its positions are the picture's."""
    rows, columns = block.rows, block.columns
    corner = block.at(index, rows.tile, columns.tile)
    inside = rows.inside(corner[1])[:, None] & columns.inside(corner[2])
    window = lax.dynamic_slice(padded, corner, (1, rows.window, columns.window, padded.shape[3]))
    return window, inside[None, :, :, None]


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _assemble(block: Block, network: VGG, padded: Array) -> tuple[Named, Named]:
    """All tiles of `block`: activations side by side, 0 beyond the picture, and Gram matrices added up."""

    def add(index: Array, whole: tuple[Named, Named]) -> tuple[Named, Named]:
        parts, grams = _tile(block, network, *_window(block, padded, index))
        placed = {
            name: lax.dynamic_update_slice(whole[0][name], part, block.at(index, *part.shape[1:3]))
            for name, part in parts.items()
        }
        return placed, jax.tree.map(jnp.add, whole[1], grams)

    parts, grams = jax.eval_shape(lambda x: _tile(block, network, *_window(block, x, jnp.int32(0))), padded)
    counts = (1, block.rows.count, block.columns.count, 1)
    placed = {name: jnp.zeros(np.multiply(part.shape, counts)) for name, part in parts.items()}
    return lax.fori_loop(0, block.tiles, add, (placed, jax.tree.map(jnp.zeros_like, grams)))


def _forward(block: Block, network: VGG, padded: Array) -> tuple[Any, Any]:
    return _assemble(block, network, padded), (network, padded)


def _backward(block: Block, residuals: Any, cotangents: Any) -> tuple[None, Array]:
    """Every tile computed again, and the cotangents of what it gave pulled back to its window."""
    # Else the compiler sees that the forward pass made these activations, and keeps them from there.
    (network, padded), (placed, grams) = lax.optimization_barrier((residuals, cotangents))

    def add(index: Array, gradient: Array) -> Array:
        window, inside = _window(block, padded, index)
        (parts, _), pull = jax.vjp(lambda window: _tile(block, network, window, inside), window)
        mine = {
            name: lax.dynamic_slice(placed[name], block.at(index, *part.shape[1:3]), part.shape)
            for name, part in parts.items()
        }
        at = block.at(index, block.rows.tile, block.columns.tile)
        before = lax.dynamic_slice(gradient, at, window.shape)
        return lax.dynamic_update_slice(gradient, before + pull((mine, grams))[0], at)

    return None, lax.fori_loop(0, block.tiles, add, jnp.zeros_like(padded))


_assemble.defvjp(_forward, _backward)
