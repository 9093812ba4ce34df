"""What a method of optimisation is: a few pure functions, chosen once."""

from collections.abc import Callable
from typing import Any, NamedTuple

from jaxtyping import Array, Bool

from nst_jax.optimizers.state import ImageArray, Scalar, State

Evaluate = Callable[[Array], tuple[Array, Array]]  # image -> loss and gradient


class Point(NamedTuple):
    """An image with the objective's value and gradient there."""

    image: ImageArray
    value: Scalar
    grad: ImageArray


class Retry(NamedTuple):
    """Where to start again after a step that failed, and at which learning rate."""

    image: ImageArray
    rate: Scalar


class Method(NamedTuple):
    """How an optimiser takes a step: a search that ends after one or more evaluations of the objective.

    A search is a pytree whose structure and shapes do not change. `begin` also returns the memory that the
    state has once the search has ended; the search needs the memory from before no more.
    """

    init: Callable[[ImageArray], Any]  # the memory before the first step
    begin: Callable[[State], tuple[Any, Any]]  # a search from a state, and the memory after it
    evaluate: Callable[[Any, Evaluate], Any]  # the search after one more evaluation
    unfinished: Callable[[Any], Bool[Array, ""]]
    end: Callable[[Any], Point]  # where a finished search arrived
    stalled: Callable[[Point, State], Bool[Array, ""]]  # whether that is no progress
    retry: Callable[[State, float], Retry | None]  # after a failed step, on the host; None gives up
