"""A bound on the memory of the activations that an experiment computes, before it computes any."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp

from nst_jax.errors import UserError
from nst_jax.networks.network import Network
from nst_jax.runs.machine import free_memory_bytes
from nst_jax.runs.progress import byte_count
from nst_jax.transfer.memory import tree_bytes


def require_activations(
    network: Network,
    layers: Sequence[str],
    size: int,
    pictures: int,
    gradient: bool = False,
    field: str = "size",
) -> None:
    """Check that the activations up to `layers` of so many square pictures together fit into the free memory.

    With a gradient, all of them are held, otherwise at least the largest. `field` is the setting of `size`.

    Raises:
        UserError: they do not fit.
    """
    last = max(map(network.layers.index, layers))
    names = network.layers[: last + 1]
    picture = jax.ShapeDtypeStruct((1, size, size, 3), jnp.float32)
    held = [tree_bytes(each) for each in jax.eval_shape(lambda f, x: f(x, names), network, picture).values()]
    needed, free = pictures * (sum(held) if gradient else max(held)), free_memory_bytes()
    if needed > free:
        raise UserError(
            f"{field}: {pictures} x {size} px need at least {byte_count(needed)} of memory, but only "
            f"{byte_count(free)} are free; use a smaller size, or fewer pictures together"
        )
