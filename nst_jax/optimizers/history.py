"""The history of L-BFGS and its product with a gradient, in four passes over the remembered steps.

The two loops of Nocedal & Wright 2006, algorithm 7.4, visit the steps one by one. Here their coefficients
solve two triangular systems in the products s_i . y_j, the compact form of Byrd, Nocedal & Schnabel 1994. The
inverse of the triangle is kept: without its oldest row and column, it is that of the smaller triangle, and a
new step adds a column. All that remains are matrix-vector products: faster on a CPU, and on a GPU a few
kernels instead of hundreds.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int

from nst_jax.optimizers.state import VariableArray


class History(NamedTuple):
    """The last steps s and their gradient changes y, as rows that are reused in turn."""

    calls: Int[Array, ""]  # of `remember`
    gradient: VariableArray  # the last one
    steps: Float[Array, "memory n"]
    changes: Float[Array, "memory n"]
    curvatures: Float[Array, "memory"]  # s_i . y_i; 0 for empty slots, as all that follows
    inverse: Float[Array, "memory memory"]  # of the matrix of s_i . y_j where i is no newer than j, else 0
    slopes: Float[Array, "memory"]  # s_i . gradient

    @property
    def newest(self) -> Int[Array, ""]:
        """The slot of the last step."""
        return (self.calls - 2) % len(self.slopes)


def empty(memory: int, like: VariableArray) -> History:
    """A history without steps."""
    slots = jnp.zeros((memory, like.size), like.dtype)
    return History(
        calls=jnp.zeros((), jnp.int32),
        gradient=jnp.zeros_like(like),
        steps=slots,
        changes=slots,
        curvatures=jnp.zeros(memory, like.dtype),
        inverse=jnp.zeros((memory, memory), like.dtype),
        slopes=jnp.zeros(memory, like.dtype),
    )


def remember(history: History, s: VariableArray, gradient: VariableArray) -> tuple[History, Bool[Array, ""]]:
    """The history after a step `s` that led to `gradient`, in place of the oldest; and whether it counts.

    The slot stays empty on the first call, which only notes the gradient, and if s . y <= 0, which would make
    the Hessian indefinite.
    """
    y = gradient - history.gradient
    product = jnp.vdot(s, y)
    valid = (history.calls > 0) & (product > 0)
    s, y = jnp.where(valid, s, 0), jnp.where(valid, y, 0)
    slot = (history.calls - 1) % len(history.slopes)
    steps, changes = history.steps.at[slot].set(s.ravel()), history.changes.at[slot].set(y.ravel())
    slopes = _products(steps, gradient)
    is_slot = jnp.arange(len(slopes)) == slot
    older = jnp.where(is_slot | is_slot[:, None], 0, history.inverse)
    # The slopes before and after give s_i . y of the older steps, and these the new column of the inverse.
    column = jnp.where(is_slot, 1, -_products(older, slopes - history.slopes))
    column = jnp.where(valid, column / jnp.where(valid, product, 1), 0)
    inverse = jnp.where(is_slot, column[:, None], older)
    curvatures = history.curvatures.at[slot].set(jnp.where(valid, product, 0))
    result = History(history.calls + 1, gradient, steps, changes, curvatures, inverse, slopes)
    return result, valid


def times_inverse_hessian(history: History, guess: Array) -> VariableArray:
    """The inverse Hessian times the last gradient; it is the diagonal `guess` before any step is applied."""
    alpha = _products(history.inverse, history.slopes)
    r = guess * (history.gradient - _combination(alpha, history.changes, history.gradient))
    beta = _products(history.changes, r)
    rest = _products(history.inverse.T, history.curvatures * alpha - beta)
    return r + _combination(rest, history.steps, r)


def _products(rows: Float[Array, "memory n"], array: Array) -> Float[Array, "memory"]:
    # HIGHEST: the curvature s . y is a small difference of large products.
    return jnp.matmul(rows, array.ravel(), precision=lax.Precision.HIGHEST)


def _combination(
    coefficients: Float[Array, "memory"], rows: Float[Array, "memory n"], like: VariableArray
) -> VariableArray:
    """The sum of `rows` times `coefficients`, in the shape of `like`."""
    return jnp.matmul(coefficients, rows, precision=lax.Precision.HIGHEST).reshape(like.shape)
