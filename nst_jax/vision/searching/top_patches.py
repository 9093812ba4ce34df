"""The images that activate each unit most: one pass, on the device (Zeiler & Fergus 2013, Fig 2).

For each unit, the pass keeps a short list of its strongest activations, at most one per image, and merges
each batch into it. It covers every unit of every layer in constant memory. Units can be ranked by their
relevance (relevance.py) instead: `activation` then stands for gradient times activation.
"""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float, Int, UInt8

from nst_jax.images.streams import Batch, Stream
from nst_jax.networks.classifier import Classifier
from nst_jax.networks.network import Network
from nst_jax.optimizers import compiler
from nst_jax.vision.activations import require_activations
from nst_jax.vision.relevance import Towards, relevances

NO_IMAGE = NO_LABEL = -1  # below every index


class Strongest(NamedTuple):
    """The strongest activations of each unit in descending order; `image` is NO_IMAGE in empty places.

    `label` is the class of the image that relevance was measured towards, or NO_LABEL.
    """

    activation: Float[Array, "units top"]
    image: Int[Array, "units top"]  # index in the stream
    row: Int[Array, "units top"]
    column: Int[Array, "units top"]
    label: Int[Array, "units top"]


def nothing_yet(units: int, top: int) -> Strongest:
    """Return empty lists."""
    none = jnp.full((units, top), NO_IMAGE, jnp.int32)
    # Copies, because the step donates each buffer separately.
    return Strongest(jnp.zeros((units, top), jnp.float32), *(none.copy() for _ in range(4)))


def empty_lists(network: Network, layers: Sequence[str], size: int, top: int) -> dict[str, Strongest]:
    """Return empty lists for all units of all `layers`."""
    image = jax.ShapeDtypeStruct((1, size, size, 3), jnp.float32)
    shapes = jax.eval_shape(lambda x: network(x, layers), image)
    return {layer: nothing_yet(shapes[layer].shape[-1], top) for layer in layers}


# Donated: the lists are updated in place while the host runs ahead.
@compiler.jit_at_first_call(donate_argnums=1, static_argnames="towards")
def step(
    network: Network,
    lists: dict[str, Strongest],
    pixels: UInt8[Array, "b s s 3"],
    images: Int[Array, "b"],
    classifier: Classifier | None = None,
    towards: Towards | None = None,
) -> tuple[dict[str, Strongest], dict[str, Strongest]]:
    """Merge a batch into `lists`; return them, and the batch's own maxima, "units b".

    With `towards`, units are ranked by their relevance. `lists` is donated. A caller can wait for the step
    through the maxima without touching the lists.
    """
    inputs = pixels.astype(jnp.float32) / 255
    if towards is None:
        values, labels = network(inputs, tuple(lists)), jnp.full(images.shape, NO_LABEL, jnp.int32)
    else:
        values, labels = relevances(network, classifier, inputs, tuple(lists), towards)
    found = {layer: strongest(values[layer], images, labels) for layer in lists}
    return {layer: merge(lists[layer], found[layer]) for layer in lists}, found


def search_once(
    network: Network, stream: Stream, layer: str, size: int, top: int, batch_size: int = 16
) -> Strongest:
    """Search all pictures of `stream`, of `size` pixels, in one pass, for all units of one layer.

    Raises:
        UserError: a batch does not fit into memory, or no picture can be read.
    """
    require_activations(network, (layer,), size, batch_size)
    lists = empty_lists(network, (layer,), size, top)
    for batch in stream.batches(batch_size):
        lists, _ = step(network, lists, jnp.asarray(batch.pixels), numbers(batch))
    return jax.device_get(lists[layer])


def strongest(
    F: Float[Array, "b h w units"], images: Int[Array, "b"], labels: Int[Array, "b"] | int = -1
) -> Strongest:
    """Return each unit's strongest activation in each image, "units b"; ties go to the first position."""
    # XLA's argmax over all positions costs a third of a forward pass on a CPU. The maximum of each row is
    # cheap, and leaves only the row maxima and one row to search for the position.
    rows = F.max(2)
    peak = rows.max(1)
    row = jnp.argmax(rows == peak[:, None], axis=1)
    line = jnp.take_along_axis(F, row[:, None, None, :], axis=1)[:, 0]
    column = jnp.argmax(line == peak[:, None], axis=1)
    numbers = jnp.broadcast_to(images[:, None], peak.shape)
    activation = jnp.where(numbers == NO_IMAGE, 0, peak)
    label = jnp.broadcast_to(jnp.reshape(labels, (-1, 1)), peak.shape).astype(jnp.int32)
    return Strongest(activation.T, numbers.T, row.astype(jnp.int32).T, column.astype(jnp.int32).T, label.T)


def merge(lists: Strongest, batch: Strongest) -> Strongest:
    """Return the strongest of both, as many as in `lists`; of equal activations, the earlier one wins.

    `top_k` prefers the earlier of equal values, and the lists come before the batch. So an activation of 0
    never enters a list: empty places, which are 0 too, come before it.
    """
    both = jax.tree.map(lambda *parts: jnp.concatenate(parts, axis=1), lists, batch)
    _, chosen = lax.top_k(both.activation, lists.activation.shape[1])
    return jax.tree.map(lambda part: jnp.take_along_axis(part, chosen, axis=1), both)


def numbers(batch: Batch) -> Int[Array, "b"]:
    """Return the image index of each row; rows that only pad the last batch get NO_IMAGE."""
    indices = [frame.index for frame in batch.frames]
    return jnp.array([*indices, *[NO_IMAGE] * (len(batch.pixels) - len(indices))], jnp.int32)


class Patch(NamedTuple):
    """The activation of a unit at one position of an image."""

    activation: float
    image: int
    row: int
    column: int
    label: int = NO_LABEL


def patches_of(lists: Strongest, unit: int) -> list[Patch]:
    """Return a unit's patches, strongest first; fewer than `top`, or none, if it fired in fewer images."""
    activation, *where = (np.asarray(part)[unit].tolist() for part in lists)
    rows = zip(activation, *where, strict=True)
    return [Patch(*row) for row in rows if row[1] != NO_IMAGE]
