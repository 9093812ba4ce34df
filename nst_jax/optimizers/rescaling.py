"""Methods in units in which float32 holds the squares of a gradient, whatever the weights of the losses are.

Methods sum squares of gradients, which overflow above 1e19 and vanish below 1e-19, and compare gradients with
constants. Where the first gradient of a run is far from 1, the method sees the objective times a power of
two. Products with it are exact: a run that needs no other units than those of the objective keeps every bit.
"""

from typing import Any, NamedTuple

import jax.numpy as jnp
from jaxtyping import Float

from nst_jax.devices.split import Split
from nst_jax.optimizers.method import Evaluate, Method, Point
from nst_jax.optimizers.state import Evaluation, Scalar, State, VariableArray

LARGEST = 2.0**40  # of the entries of a gradient that is left as it is


class InUnits(NamedTuple):
    """The memory of a method, or a search, and the factor of its units; 0 before the first gradient."""

    method: Any
    factor: Float[Any, "*lanes"]


def in_own_units(method: Method, smallest: float) -> Method:
    """Return `method` with units of its own, if the first gradient is large, or no entry above `smallest`."""

    def begin(state: State) -> tuple[InUnits, InUnits]:
        chosen = jnp.where(state.opening, 0, _factor(state.grad, smallest))
        remembered = jnp.where(state.memory.factor > 0, state.memory.factor, chosen)
        factor = jnp.where(remembered > 0, remembered, 1)
        value, grad = factor * state.value, factor * state.grad
        search, memory = method.begin(state._replace(value=value, grad=grad, memory=state.memory.method))
        return InUnits(search, factor), InUnits(memory, remembered)

    def evaluate(search: InUnits, evaluate: Evaluate) -> InUnits:
        def in_units(variable: VariableArray) -> Evaluation:
            found = evaluate(variable)
            return found._replace(value=search.factor * found.value, grad=search.factor * found.grad)

        return search._replace(method=method.evaluate(search.method, in_units))

    def end(search: InUnits) -> Point:
        point = method.end(search.method)
        return point._replace(value=point.value / search.factor, grad=point.grad / search.factor)

    def split_over(split: Split) -> Method:
        return in_own_units(method.split_over(split) if method.split_over else method, smallest)

    def carried(last: InUnits, new: InUnits) -> InUnits:
        assert method.carried is not None
        return InUnits(method.carried(last.method, new.method), last.factor)

    return method._replace(
        init=lambda variable: InUnits(method.init(variable), jnp.zeros((), variable.dtype)),
        begin=begin,
        evaluate=evaluate,
        unfinished=lambda search: method.unfinished(search.method),
        end=end,
        split_over=split_over,
        picture=lambda state: method.picture(state._replace(memory=state.memory.method)),
        carried=method.carried and carried,
    )


def _factor(grad: VariableArray, smallest: float) -> Scalar:
    """The power of two that brings the largest entry of an extreme gradient close to 1; else 1."""
    largest = jnp.max(jnp.abs(grad))
    # The exponents of normal float32 numbers: a factor beyond them would be 0 or infinite.
    exponent = jnp.clip(jnp.frexp(largest)[1], -126, 126)
    extreme = jnp.isfinite(largest) & (largest > 0) & ((largest < smallest) | (largest > LARGEST))
    return jnp.where(extreme, jnp.ldexp(jnp.ones_like(largest), -exponent), 1)
