"""The images that fire every unit of a layer most: one pass, on the device (Zeiler & Fergus 2013, Fig 2).

For each unit the pass keeps a short list of strongest activations, at most one per image, and merges each
batch's into it. The lists are all that it keeps: its memory does not grow with the data.
"""

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float, Int, UInt8

from nst_jax.images.streams import Batch
from nst_jax.networks.network import Network

NO_IMAGE = -1


class Strongest(NamedTuple):
    """Each unit's strongest activations, strongest first; `image` is NO_IMAGE where it never fired more."""

    activation: Float[Array, "units top"]
    image: Int[Array, "units top"]  # its number in the stream
    row: Int[Array, "units top"]
    column: Int[Array, "units top"]


def nothing_yet(units: int, top: int) -> Strongest:
    """The lists before the first image."""
    none = jnp.full((units, top), NO_IMAGE, jnp.int32)
    # Copies, as the step gives each buffer away on its own.
    return Strongest(jnp.zeros((units, top), jnp.float32), none, none.copy(), none.copy())


def empty_lists(network: Network, layers: Sequence[str], size: int, top: int) -> dict[str, Strongest]:
    """Empty lists for all units of all `layers`."""
    image = jax.ShapeDtypeStruct((1, size, size, 3), jnp.float32)
    shapes = jax.eval_shape(lambda x: network(x, layers), image)
    return {layer: nothing_yet(shapes[layer].shape[-1], top) for layer in layers}


@partial(jax.jit, donate_argnums=1)
def step(
    network: Network,
    lists: dict[str, Strongest],
    pixels: UInt8[Array, "b s s 3"],
    images: Int[Array, "b"],
) -> tuple[dict[str, Strongest], Int[Array, ""]]:
    """The lists with a batch merged in, and how many of its rows were images: those not numbered NO_IMAGE.

    `lists` is donated; the count is for whoever wants to wait for the step without touching them.
    """
    activations = network(pixels.astype(jnp.float32) / 255, tuple(lists))
    merged = {layer: merge(lists[layer], strongest(activations[layer], images)) for layer in lists}
    return merged, jnp.sum(images != NO_IMAGE)


def strongest(F: Float[Array, "b h w units"], images: Int[Array, "b"]) -> Strongest:
    """Each image's strongest activation of each unit, `units b`; of equal positions the first, row by row."""
    # XLA's argmax over all positions costs a third of a forward pass on a CPU. The maximum of each row is
    # cheap; the position is then sought in these, and in the one row that holds it.
    rows = F.max(2)
    peak = rows.max(1)
    row = jnp.argmax(rows == peak[:, None], axis=1)
    line = jnp.take_along_axis(F, row[:, None, None, :], axis=1)[:, 0]
    column = jnp.argmax(line == peak[:, None], axis=1)
    numbers = jnp.broadcast_to(images[:, None], peak.shape)
    activation = jnp.where(numbers == NO_IMAGE, 0, peak)
    return Strongest(activation.T, numbers.T, row.astype(jnp.int32).T, column.astype(jnp.int32).T)


def merge(lists: Strongest, batch: Strongest) -> Strongest:
    """The strongest of both, as many as `lists` holds; of equals, the one that came first.

    `top_k` takes the earlier of equals, and the list stands before the batch: an activation of 0 never gets
    in, because the empty places of a list, which are 0 too, come before it.
    """
    both = jax.tree.map(lambda *parts: jnp.concatenate(parts, axis=1), lists, batch)
    _, chosen = lax.top_k(both.activation, lists.activation.shape[1])
    return jax.tree.map(lambda part: jnp.take_along_axis(part, chosen, axis=1), both)


def numbers(batch: Batch) -> Int[Array, "b"]:
    """Each row's image; the rows that only fill up the last batch have none."""
    held = [frame.index for frame in batch.frames]
    return jnp.array([*held, *[NO_IMAGE] * (len(batch.pixels) - len(held))], jnp.int32)


class Patch(NamedTuple):
    """Where a unit fired: its activation at a position of an image."""

    activation: float
    image: int
    row: int
    column: int


def patches_of(lists: Strongest, unit: int) -> list[Patch]:
    """A unit's patches, strongest first; fewer than `top`, or none, where it fired in fewer images."""
    activation, *where = (np.asarray(part)[unit].tolist() for part in lists)
    rows = zip(activation, *where, strict=True)
    return [Patch(*row) for row in rows if row[1] != NO_IMAGE]
