"""The line search of L-BFGS, one evaluation at a time: optax's, with the objective in the program only once.

optax's own loop has the objective in both branches of a `cond`, so that it compiles and loads twice.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax import lax
from jaxtyping import Array, Bool, Float

# Not in optax's public names; tests/test_line_search.py holds it to `optax.scale_by_zoom_linesearch`.
from optax._src.linesearch import zoom_linesearch

MOST_EVALUATIONS = 20
_begin, _continue, _ = zoom_linesearch(MOST_EVALUATIONS)

Picture = Float[Array, "1 h w 3"]


def begin(direction: Picture, image: Picture, value: Float[Array, ""], grad: Picture) -> Any:
    """A search from `image`, where the objective has this value and gradient; its first step is 1."""
    return strongly_typed(_begin(direction, image, value=value, grad=grad, initial_guess_strategy="one"))


def unfinished(search: Any) -> Bool[Array, ""]:
    """Whether the search goes on."""
    return ~(search.done | search.failed)


def evaluate(search: Any, objective: Callable[[Picture], Array]) -> Any:
    """The search after one more evaluation.

    Both branches of `_continue` begin by choosing a point. So it is asked twice: first with an answer that
    does not matter, to learn the point, then with the true value and gradient there.
    """
    blind = search._replace(safe_stepsize=jnp.zeros_like(search.safe_stepsize))
    nothing = (jnp.zeros_like(search.value), jnp.zeros_like(search.grad))
    stepsize = _continue(blind, value_and_grad_fn=lambda image: nothing, fn_kwargs={}).stepsize
    answer = jax.value_and_grad(objective)(optax.tree.add_scale(search.params, stepsize, search.updates))
    return _continue(search, value_and_grad_fn=lambda image: answer, fn_kwargs={})


def end(search: Any) -> Picture:
    """The picture that the search has found; `search.value` and `search.grad` are the objective's there."""
    return optax.apply_updates(search.params, optax.tree.scale(search.stepsize, search.updates))


def strongly_typed(tree: Any) -> Any:
    """Fix weak types, which would make the second call compile anew."""
    return jax.tree.map(lambda leaf: lax.convert_element_type(leaf, jnp.asarray(leaf).dtype), tree)
