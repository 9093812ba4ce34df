"""The compiled loop: steps of one optimisation, entirely on the device.

The number of steps of a call is an argument, so calls of any length share one program. The result is bitwise
the same however a run is split into calls.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int

from nst_jax.optimizers import compiler
from nst_jax.optimizers.method import Method, Point
from nst_jax.optimizers.state import (
    NOT_FINITE,
    RUNNING,
    STALLED,
    Evaluation,
    LossFunction,
    State,
    VariableArray,
    is_finite,
    select,
)


class Optimizer:
    """Minimises `objective(shared, data, variable)` over the variable with `method`.

    The variable is never clipped: a projection would invalidate the values and gradients that the line search
    and the memory of the method hold.
    """

    def __init__(
        self,
        objective: LossFunction,
        method: Method,
        at_step: Callable[[Any, State], Any] = lambda data, state: data,
    ):
        """Set up the programs; each compiles once per shape.

        An objective that is drawn anew at each step uses `at_step(data, state)` in place of its data,
        where `state` is that before the step.
        """
        self.objective, self.method, self.at_step = objective, method, at_step
        self.start = compiler.jit(self.first_state)
        # The state is donated: its buffers are reused for the result.
        self.advance = compiler.jit(self.take_steps, donate_argnums=2)

    def first_state(self, shared: Any, data: Any, variable: VariableArray, rate: Float[Array, ""]) -> State:
        """The state at `variable`, not evaluated yet; `rate` is the learning rate of adam and gd."""
        unknown, zero = jnp.full((), jnp.inf, variable.dtype), jnp.zeros((), jnp.int32)
        terms = jax.eval_shape(self.objective, shared, data, variable)[1]
        return State(
            variable=jnp.copy(variable),  # `advance` must not donate the caller's picture
            value=unknown,
            grad=jnp.zeros_like(variable),
            terms=jax.tree.map(lambda term: jnp.zeros(term.shape, term.dtype), terms),
            memory=self.method.init(variable),
            # Copies, because `advance` donates each buffer on its own.
            best_variable=jnp.copy(variable),
            best_value=jnp.copy(unknown),
            rate=rate,
            step=zero,
            evaluations=jnp.copy(zero),
            restarted=zero - 1,
            status=jnp.full((), RUNNING, jnp.int32),
        )

    def take_steps(
        self, shared: Any, data: Any, state: State, stop: Int[Array, ""], evaluations: Int[Array, ""]
    ) -> State:
        """Advance to the step `stop`, or until `evaluations` more evaluations, or until a step fails."""
        # Counted in evaluations, because a step of L-BFGS takes a varying number of them.
        last = state.evaluations + evaluations

        def unfinished(state: State) -> Array:
            return unfinished_before(state, stop) & (state.evaluations < last)

        return lax.while_loop(unfinished, partial(self._step, shared, data), state)

    def evaluate(self, shared: Any, data: Any, variable: VariableArray) -> Evaluation:
        """The objective at `variable`."""
        objective = jax.value_and_grad(self.objective, argnums=2, has_aux=True)
        (value, terms), grad = objective(shared, data, variable)
        return Evaluation(value, grad, terms)

    def begin(self, state: State) -> tuple[Any, Any]:
        """A search from `state`, and the memory after it; the first search only evaluates where it is."""
        search, memory = self.method.begin(state)
        # A gradient of zeros leaves the arrays of the memory as they were; its counters must not count it.
        return search, jax.tree.map(
            lambda new, old: jnp.where(state.opening, old, new) if new.dtype == jnp.int32 else new,
            memory,
            state.memory,
        )

    def judge(self, search: Any, state: State, evaluations: Array) -> State:
        """The state after a finished search; if the step failed, `state` unchanged except for its status."""
        point = self.method.end(search)
        finite = is_finite(point.value, point.grad)
        stalled = self.method.stalled(point, state)
        return self._accepted(point, state, finite & ~stalled)._replace(
            evaluations=evaluations,
            status=jnp.where(finite, jnp.where(stalled, STALLED, RUNNING), NOT_FINITE).astype(jnp.int32),
        )

    def restart(self, shared: Any, data: Any, state: State, learning_rate: float) -> State | None:
        """Restart after a failed step as the method prescribes; None if it gives up."""
        retry = self.method.retry(state, learning_rate)
        if retry is None:
            return None
        fresh = self.start(shared, data, retry.variable, retry.rate)
        return fresh._replace(
            best_variable=state.best_variable,
            best_value=state.best_value,
            step=state.step,
            evaluations=state.evaluations,
            restarted=jnp.copy(state.step),  # a separate buffer, since `advance` donates each one
        )

    def _step(self, shared: Any, data: Any, state: State) -> State:
        search, memory = self.begin(state)
        evaluate = partial(self.evaluate, shared, self.at_step(data, state))

        def one_more(carry: tuple[Any, Array]) -> tuple[Any, Array]:
            return self.method.evaluate(carry[0], evaluate), carry[1] + 1

        search, evaluations = lax.while_loop(
            lambda carry: self.method.unfinished(carry[0]), one_more, (search, state.evaluations)
        )
        return self.judge(search, state._replace(memory=memory), evaluations)

    def _accepted(self, point: Point, state: State, accept: Array) -> State:
        """Move `state` to `point` if `accept`; its memory is left out of the select, which would copy it."""
        better = accept & (point.value < state.best_value)
        old = Point(state.variable, state.value, state.grad, state.terms)
        moved = select(accept, point, old)
        # A run whose first loss is not finite still has terms to show which of them is to blame.
        terms = select(state.opening, point.terms, moved.terms)
        return state._replace(
            **moved._replace(terms=terms)._asdict(),
            best_variable=jnp.where(better, point.variable, state.best_variable),
            best_value=jnp.where(better, point.value, state.best_value),
            step=state.step + (accept & ~state.opening).astype(jnp.int32),
        )


def unfinished_before(state: State, stop: Int[Array, ""]) -> Bool[Array, ""]:
    """Whether `state` has still to advance to the step `stop`; the first evaluation belongs to no step."""
    return ((state.step < stop) | state.opening) & (state.status == RUNNING)
