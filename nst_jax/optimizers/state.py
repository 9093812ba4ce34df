"""Where an optimisation stands between two steps."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float, Int

from nst_jax.errors import UserError

# State.status: takes steps; the last step led to a loss or gradient that is not finite; the last step led
# nowhere; takes no more steps.
RUNNING, NOT_FINITE, STALLED, FROZEN = 0, 1, 2, 3

ImageArray = Float[Array, "1 h w 3"]
Scalar = Float[Array, ""]
# (shared, data, image) -> loss. Runs under way together have `shared` in common, and each its own `data`.
LossFunction = Callable[[Any, Any, Array], Array]


class State(NamedTuple):
    """All that the next step depends on; `value` and `grad` are the objective's at `image`."""

    image: ImageArray
    value: Scalar
    grad: ImageArray
    memory: Any  # the method's own
    best_image: ImageArray
    best_value: Scalar
    rate: Scalar  # the learning rate of adam and gd, smaller after each divergence
    step: Int[Array, ""]
    evaluations: Int[Array, ""]
    restarted: Int[Array, ""]  # the step of the last recovery, -1 before any
    status: Int[Array, ""]


def is_finite(value: Array, grad: Array) -> Array:
    """Whether the loss and all of its gradient are finite."""
    return jnp.isfinite(value) & jnp.all(jnp.isfinite(grad))


def restore(leaves: list[np.ndarray], like: State) -> State:
    """A `State` from the saved leaves of one whose structure, shapes and dtypes are those of `like`.

    Raises:
        UserError: they do not fit, as another version of this package wrote them.
    """
    expected, structure = jax.tree.flatten(like)
    if [(a.shape, a.dtype) for a in leaves] != [(a.shape, a.dtype) for a in expected]:
        raise UserError("--resume: the checkpoint was written by another version of nst_jax; start a new run")
    return jax.tree.unflatten(structure, [jnp.array(leaf) for leaf in leaves])


def strongly_typed(tree: Any) -> Any:
    """Fix weak types, which would make the second call compile again."""
    return jax.tree.map(lambda leaf: lax.convert_element_type(leaf, jnp.asarray(leaf).dtype), tree)
