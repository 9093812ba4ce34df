"""The interface of an optimisation method: a record of pure functions."""

from collections.abc import Callable
from typing import Any, NamedTuple

from jaxtyping import Array, Bool

from nst_jax.devices.split import Split
from nst_jax.optimizers.state import Evaluation, Scalar, State, VariableArray

Evaluate = Callable[[Array], Evaluation]  # of the objective at a variable


class Point(NamedTuple):
    """A variable, and the objective there: see `Evaluation`."""

    variable: VariableArray
    value: Scalar
    grad: VariableArray
    terms: Any


class Retry(NamedTuple):
    """Where to restart after a failed step, and with which learning rate."""

    variable: VariableArray
    rate: Scalar


class Method(NamedTuple):
    """How an optimiser takes a step: a search that ends after one or more evaluations of the objective.

    A search is a pytree with a fixed structure and fixed shapes. `begin` also returns the memory of the state
    after the search; the search itself does not need the old memory. The first search begins with a gradient
    of zeros and must then lead to the variable itself.
    """

    init: Callable[[VariableArray], Any]  # the memory before the first step
    begin: Callable[[State], tuple[Any, Any]]  # a search from a state, and the memory after it
    evaluate: Callable[[Any, Evaluate], Any]  # the search after one more evaluation
    unfinished: Callable[[Any], Bool[Array, ""]]
    end: Callable[[Any], Point]  # where a finished search arrived
    stalled: Callable[[Point, State], Bool[Array, ""]]  # whether that point is no progress
    retry: Callable[[State, float], Retry | None]  # after a failed step, on the host; None gives up
    # Whether a search compares values of the objective, which then must not change from one to the next.
    compares: bool = False
    # The method for images on several devices; None if it is the same, as where pixels meet only in sums.
    split_over: Callable[[Split], Any] | None = None
    # What a state, or a stack of them, shows: the result, and the start of the next scale.
    picture: Callable[[State], Array] = lambda state: state.variable
    # The memory that a scale begins with, from that of the last scale and a new one, both stacked.
    carried: Callable[[Any, Any], Any] | None = None
