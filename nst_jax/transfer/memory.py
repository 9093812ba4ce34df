"""Memory use of an optimisation, as reported by the compiler."""

import math
from typing import Any

import jax

from nst_jax.optimizers import compiler
from nst_jax.optimizers.optimizer import Optimizer
from nst_jax.runs.machine import free_memory_bytes

# Share of the free memory that lanes may use; the compiler and the allocator need the rest.
SHARE = 0.6
# If one picture keeps all cores busy, more lanes bring no speedup and overflow the caches.
MOST_LANES_ON_CPU = 4


def tree_bytes(tree: Any) -> int:
    """Return the bytes on one device of the arrays in `tree`, which may be `jax.ShapeDtypeStruct`s."""
    return sum(math.prod(_shape_on_device(leaf)) * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree))


def _shape_on_device(leaf: Any) -> tuple[int, ...]:
    return leaf.sharding.shard_shape(leaf.shape) if leaf.sharding else leaf.shape


def lane_bytes(optimizer: Optimizer, network: Any, data: Any, image: Any) -> int:
    """Return the bytes that one lane needs besides the network; arguments may be `jax.ShapeDtypeStruct`s."""
    rate = jax.ShapeDtypeStruct((), image.dtype)
    evaluate = compiler.jit(optimizer.evaluate)
    evaluation: Any = evaluate.lower(network, data, image).compile().memory_analysis()
    state = jax.eval_shape(optimizer.first_state, network, data, image, rate)
    # The state exists up to three times: before a step, after it, and in the line search.
    return evaluation.temp_size_in_bytes + tree_bytes(data) + 3 * tree_bytes(state)


def affordable_lanes(lane: int) -> int:
    """Return how many lanes of `lane` bytes fit on the default device; at least 1."""
    fit = max(1, int(SHARE * free_memory_bytes() / lane))
    return min(fit, MOST_LANES_ON_CPU) if jax.default_backend() == "cpu" else fit
