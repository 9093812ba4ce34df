"""Memory use of an optimisation, as reported by the compiler."""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec as P

from nst_jax.optimizers import compiler
from nst_jax.optimizers.lanes import Lane, Lanes
from nst_jax.optimizers.optimizer import Optimizer
from nst_jax.runs.machine import free_memory_bytes

# Share of the free memory that lanes may use; the compiler and the allocator need the rest.
SHARE = 0.6


def tree_bytes(tree: Any) -> int:
    """Return the bytes on one device of the arrays in `tree`, which may be `jax.ShapeDtypeStruct`s."""
    held = 0
    for leaf in jax.tree.leaves(tree):
        shape = leaf.sharding.shard_shape(leaf.shape) if leaf.sharding else leaf.shape
        held += math.prod(shape) * leaf.dtype.itemsize
    return held


def lane_bytes(optimizer: Optimizer, network: Any, data: Any, image: Any) -> int:
    """Return the bytes that one lane needs besides the network; arguments may be `jax.ShapeDtypeStruct`s."""
    rate = jax.ShapeDtypeStruct((), image.dtype)
    evaluate = compiler.jit(optimizer.evaluate, compiler.holds_bfloat16(network))
    evaluation: Any = evaluate.lower(network, data, image).compile().memory_analysis()
    state = jax.eval_shape(optimizer.first_state, network, data, image, rate)
    # The state exists up to three times: before a step, after it, and in the line search.
    return evaluation.temp_size_in_bytes + tree_bytes(data) + 3 * tree_bytes(state)


def advance_bytes(lanes: Lanes, network: Any, data: Any, image: Any) -> int:
    """Return the bytes of the program that advances one lane and of its arguments, besides the network."""
    arguments = advance_arguments(lanes, network, data, image)
    return lanes.advance.temporary_bytes(*arguments) + tree_bytes(arguments[1:3])


def advance_arguments(lanes: Lanes, network: Any, data: Any, image: Any) -> tuple[Any, ...]:
    """The shapes of the arguments with which the program of `lanes` advances one lane."""
    stacked, images = jax.tree.map(_one_lane, (data, image))
    rate, count = _one_lane(jax.ShapeDtypeStruct((), jnp.float32)), jax.ShapeDtypeStruct((), jnp.int32)
    lane: Lane = lanes.abstract(lanes.start.result(network, stacked, images, rate))
    return network, stacked, lane, count, count, jax.ShapeDtypeStruct((), bool)


def _one_lane(leaf: jax.ShapeDtypeStruct) -> jax.ShapeDtypeStruct:
    sharding = leaf.sharding and NamedSharding(leaf.sharding.mesh, P(None, *leaf.sharding.spec))
    return jax.ShapeDtypeStruct((1, *leaf.shape), leaf.dtype, sharding=sharding)


def affordable_lanes(lane_bytes: Callable[[], int]) -> int:
    """Return how many lanes, of `lane_bytes` each, fit on the default device; at least 1.

    On a CPU, this is 1: one picture keeps all cores busy, and its program compiles sooner.
    """
    if jax.default_backend() == "cpu":
        return 1
    return max(1, int(SHARE * free_memory_bytes() / lane_bytes()))
