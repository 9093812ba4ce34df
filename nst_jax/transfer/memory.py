"""How much memory an optimisation takes, by the compiler's own count."""

from typing import Any

import jax

from nst_jax.optimizers.optimizer import Optimizer
from nst_jax.runs.machine import free_memory_bytes

# The share of the free memory that lanes may take: compilers and allocators need some of their own.
SHARE = 0.6
# If one picture keeps all cores busy, more lanes than these gain nothing and fall out of the caches.
MOST_LANES_ON_CPU = 4


def tree_bytes(tree: Any) -> int:
    """Bytes of all arrays in `tree`, which may be `jax.ShapeDtypeStruct`s."""
    return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree))


def lane_bytes(optimizer: Optimizer, network: Any, data: Any, image: Any) -> int:
    """What one lane takes besides the network; the arguments may be `jax.ShapeDtypeStruct`s."""
    rate = jax.ShapeDtypeStruct((), image.dtype)
    evaluation: Any = optimizer.start.lower(network, data, image, rate).compile().memory_analysis()
    state = jax.eval_shape(optimizer.first_state, network, data, image, rate)
    # The state is held up to three times: before and after a step, and in what the search keeps.
    return evaluation.temp_size_in_bytes + tree_bytes(data) + 3 * tree_bytes(state)


def affordable_lanes(lane: int) -> int:
    """How many lanes of `lane` bytes the default device can hold, at least one."""
    fit = max(1, int(SHARE * free_memory_bytes() / lane))
    return min(fit, MOST_LANES_ON_CPU) if jax.default_backend() == "cpu" else fit
