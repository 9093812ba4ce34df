"""A uniform sample of a layer's positions over all pictures, in constant memory."""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Int, UInt8

from nst_jax.networks.network import Network
from nst_jax.optimizers import compiler
from nst_jax.vision.searching.top_patches import NO_IMAGE

NO_TICKET = -1  # below every ticket


class PositionSample(NamedTuple):
    """Positions drawn without replacement, each equally likely: those with the highest random tickets."""

    ticket: Int[Array, "n"]  # descending; NO_TICKET in empty places
    activation: Float[Array, "n channels"]


def nothing_drawn(network: Network, layer: str, size: int, positions: int) -> PositionSample:
    """Return an empty sample of `positions` places."""
    image = jax.ShapeDtypeStruct((1, size, size, 3), jnp.float32)
    channels = jax.eval_shape(lambda x: network(x, (layer,))[layer], image).shape[-1]
    return PositionSample(
        jnp.full(positions, NO_TICKET, jnp.int32), jnp.zeros((positions, channels), jnp.float32)
    )


# Donated: the sample is updated in place.
@compiler.jit_at_first_call(donate_argnums=1, static_argnames="layer")
def draw(
    network: Network,
    sample: PositionSample,
    pixels: UInt8[Array, "b s s 3"],
    images: Int[Array, "b"],
    layer: str,
    key: Array,
) -> tuple[PositionSample, Array]:
    """Draw from a batch too; return the sample, and a value by which a caller can wait for the step.

    Tickets of an image depend on `key` and its number alone, so the sample does not depend on the batches.
    """
    F = network(pixels.astype(jnp.float32) / 255, (layer,))[layer]
    keys = jax.vmap(partial(jax.random.fold_in, key))(images)
    bits = jax.vmap(lambda key: jax.random.bits(key, F.shape[1:3], jnp.uint32))(keys)
    # Integers: random floats have so few values near 1 that tickets of a large data set would often be equal.
    tickets = jnp.where(images[:, None, None] == NO_IMAGE, NO_TICKET, (bits >> 1).astype(jnp.int32))
    both = PositionSample(
        jnp.concatenate([sample.ticket, tickets.reshape(-1)]),
        jnp.concatenate([sample.activation, F.reshape(-1, F.shape[-1])]),
    )
    _, chosen = lax.top_k(both.ticket, len(sample.ticket))
    kept = PositionSample(both.ticket[chosen], both.activation[chosen])
    return kept, kept.ticket[0] + 0  # not the donated buffer itself
