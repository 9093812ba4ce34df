"""The history of L-BFGS and its product with a gradient, in four passes over the remembered steps.

The two loops of Nocedal & Wright 2006, algorithm 7.4, visit the steps one by one. Here their coefficients are
two triangular systems in the products s_i . y_j, the compact form of Byrd, Nocedal & Schnabel 1994, and what
remains are matrix-vector products: faster on a CPU, and a few kernels instead of hundreds on a GPU.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jax import lax
from jax.scipy.linalg import solve_triangular
from jaxtyping import Array, Bool, Float, Int

from nst_jax.optimizers.state import VariableArray


class History(NamedTuple):
    """The last steps s and their gradient changes y, as rows that are reused in turn."""

    calls: Int[Array, ""]  # of `remember`
    gradient: VariableArray  # the last one
    steps: Float[Array, "memory n"]
    changes: Float[Array, "memory n"]
    products: Float[Array, "memory memory"]  # s_i . y_j where i is no newer than j; 0 for empty slots
    slopes: Float[Array, "memory"]  # s_i . gradient

    @property
    def newest(self) -> Int[Array, ""]:
        """The slot of the last step."""
        return (self.calls - 2) % len(self.slopes)

    @property
    def order(self) -> Int[Array, "memory"]:
        """The slots from the oldest step to the newest."""
        return (self.newest + 1 + jnp.arange(len(self.slopes))) % len(self.slopes)


def empty(memory: int, like: VariableArray) -> History:
    """A history without steps."""
    slots = jnp.zeros((memory, like.size), like.dtype)
    return History(
        calls=jnp.zeros((), jnp.int32),
        gradient=jnp.zeros_like(like),
        steps=slots,
        changes=slots,
        products=jnp.zeros((memory, memory), like.dtype),
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
    # s_i . y of the older steps, from their slopes before and after.
    column = jnp.where(valid, jnp.where(is_slot, product, slopes - history.slopes), 0)
    products = jnp.where(is_slot[:, None], 0, history.products)
    products = jnp.where(is_slot, column[:, None], products)
    result = History(history.calls + 1, gradient, steps, changes, products, slopes)
    return result, valid


def times_inverse_hessian(history: History, guess: Array) -> VariableArray:
    """The inverse Hessian times the last gradient; it is the diagonal `guess` before any step is applied."""
    order = history.order
    older = jnp.triu(history.products[order][:, order])
    filled = jnp.diag(older)
    # An identity row for an empty slot, whose coefficients are then 0.
    triangle = older + jnp.diag(jnp.where(filled > 0, 0, 1).astype(filled.dtype))
    alpha = solve_triangular(triangle, history.slopes[order])
    q = history.gradient - _combination(alpha, order, history.changes, history.gradient)
    r = guess * q
    beta = _products(history.changes, r)[order]
    rest = solve_triangular(triangle, filled * alpha - beta, trans="T")
    return r + _combination(rest, order, history.steps, r)


def _products(rows: Float[Array, "memory n"], image: VariableArray) -> Float[Array, "memory"]:
    # HIGHEST: the curvature s . y is a small difference of large products.
    return jnp.matmul(rows, image.ravel(), precision=lax.Precision.HIGHEST)


def _combination(
    coefficients: Float[Array, "memory"],
    order: Int[Array, "memory"],
    rows: Float[Array, "memory n"],
    like: VariableArray,
) -> VariableArray:
    """The sum of `rows` times `coefficients`, which are sorted by `order`, in the shape of `like`."""
    by_slot = jnp.zeros_like(coefficients).at[order].set(coefficients)
    return jnp.matmul(by_slot, rows, precision=lax.Precision.HIGHEST).reshape(like.shape)
