"""The state of an optimisation between two steps."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float, Int

from nst_jax.errors import UserError

# Values of State.status.
RUNNING = 0  # takes steps
NOT_FINITE = 1  # the last step led to a loss or gradient that is not finite
STALLED = 2  # the last step made no progress
FROZEN = 3  # takes no more steps

VariableArray = Float[Array, "1 h w 3"]  # see `nst_jax.variables`
Scalar = Float[Array, ""]
# (shared, data, variable) -> the loss, and the terms that it consists of, a pytree of scalars. Runs that
# advance together have the same `shared`, and each its own `data`.
LossFunction = Callable[[Any, Any, Array], tuple[Array, Any]]


class Evaluation(NamedTuple):
    """The objective at a variable: its value and gradient, and the terms that the value consists of."""

    value: Scalar
    grad: VariableArray
    terms: Any


class State(NamedTuple):
    """Everything that the next step depends on."""

    variable: VariableArray
    value: Scalar  # of the objective at the variable; infinite before the first evaluation
    grad: VariableArray
    terms: Any
    memory: Any  # private to the method
    best_variable: VariableArray
    best_value: Scalar
    rate: Scalar  # the learning rate of adam and gd, reduced after each divergence
    step: Int[Array, ""]
    evaluations: Int[Array, ""]
    restarted: Int[Array, ""]  # the step of the last recovery, -1 before any
    status: Int[Array, ""]

    @property
    def opening(self) -> Bool[Array, ""]:
        """Whether the objective has not been evaluated at `variable` yet."""
        return jnp.isinf(self.value)


def select(condition: Array, yes: Any, no: Any) -> Any:
    """The arrays of `yes` if `condition` holds, else those of `no`."""
    return jax.tree.map(lambda a, b: jnp.where(condition, a, b), yes, no)


def is_finite(value: Array, grad: Array) -> Array:
    """Whether the loss and all of its gradient are finite."""
    return jnp.isfinite(value) & jnp.all(jnp.isfinite(grad))


def restore(leaves: list[np.ndarray], like: State) -> State:
    """Rebuild a `State` from its saved leaves, with the structure of `like`.

    Raises:
        UserError: shapes or dtypes differ from `like`, because another version of this package saved them.
    """
    # Leaves have no names in a checkpoint: their order and shapes must be right.
    expected, structure = jax.tree.flatten(like)
    if [(a.shape, a.dtype) for a in leaves] != [(a.shape, a.dtype) for a in expected]:
        raise UserError("--resume: the checkpoint was written by another version of nst_jax; start a new run")
    return jax.tree.unflatten(structure, leaves)


def strongly_typed(tree: Any) -> Any:
    """Make weak types strong; otherwise the second call of a program would compile again."""
    return jax.tree.map(lambda leaf: lax.convert_element_type(leaf, jnp.asarray(leaf).dtype), tree)
