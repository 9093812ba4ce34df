"""The one optimisation loop: jitted chunks of L-BFGS, Adam or gradient-descent steps on an image.

A chunk runs wholly on the device; its length is an argument, so chunks of any length share one program and
cutting a run into other chunks changes nothing in its result. The host looks in between chunks.
"""

import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax
from jaxtyping import Array, Float, Int

from nst_jax import compiler, line_search
from nst_jax.bands import lbfgs_direction
from nst_jax.errors import UserError

RUNNING, NOT_FINITE, STALLED = 0, 1, 2
LBFGS_MEMORY = 10
# Gradient steps are cut by SHRINK after each divergence, so this many tries span any float32 scale.
SHRINK, MOST_SHRINKS = 0.1, 30
# Chunks grow until one takes about this long, which keeps the display alive and the overhead small.
CHUNK_SECONDS = 0.5

Objective = Callable[[Any, Array], Array]


class State(NamedTuple):
    """All that the next step depends on; `value` and `grad` are the objective's at `image`."""

    image: Float[Array, "1 h w 3"]
    value: Float[Array, ""]
    grad: Float[Array, "1 h w 3"]
    optimizer: Any  # optax's own state
    best_image: Float[Array, "1 h w 3"]
    best_value: Float[Array, ""]
    rate: Float[Array, ""]  # multiplies the updates of adam and gd; below 1 after a divergence
    step: Int[Array, ""]
    evaluations: Int[Array, ""]
    restarted: Int[Array, ""]  # the step of the last recovery, -1 before any
    status: Int[Array, ""]


class DivergedError(UserError):
    """The loss stopped being finite and smaller steps did not help; `state` holds the best image."""

    def __init__(self, state: State):
        """Keep `state` for whoever saves the picture."""
        super().__init__(f"the loss is not finite after step {int(state.step)}, even with smaller steps")
        self.state = state


class Optimizer:
    """Minimises `objective(problem, image)` over the image, with the optimiser called `name`.

    The variable is the picture itself, never clipped: a projection would make the line search's cached
    values stale. `gd` is exactly G := G - learning_rate * dJ/dG while the loss is finite.
    """

    def __init__(
        self,
        objective: Objective,
        name: str,
        learning_rate: float,
        memory: int = LBFGS_MEMORY,
        bands: bool = False,
    ):
        """Hold the jitted programs; each compiles once per image shape."""
        self.name = name
        self.objective = objective
        # For lbfgs from gradients to directions; how far to go is for the line search.
        self.transformation = {
            "lbfgs": lambda: lbfgs_direction(memory, bands),
            "adam": lambda: optax.adam(learning_rate),
            "gd": lambda: optax.sgd(learning_rate),
        }[name]()
        self.start = compiler.jit(self._start)
        # The state is given away, so that its memory serves the next one.
        self.advance = compiler.jit(self._advance, donate_argnums=1)

    def _start(self, problem: Any, image: Float[Array, "1 h w 3"]) -> State:
        """The state at `image`, after one evaluation."""
        value, grad = jax.value_and_grad(self.objective, argnums=1)(problem, image)
        none = jnp.zeros((), jnp.int32)
        return State(
            image=jnp.copy(image),  # `advance` may not give away the caller's picture
            value=value,
            grad=grad,
            optimizer=line_search.strongly_typed(self.transformation.init(image)),
            best_image=jnp.copy(image),
            best_value=value,
            rate=jnp.ones((), jnp.float32),
            step=none,
            evaluations=none + 1,
            restarted=none - 1,
            status=jnp.where(_finite(value, grad), RUNNING, NOT_FINITE).astype(jnp.int32),
        )

    def _advance(self, problem: Any, state: State, steps: Int[Array, ""]) -> State:
        """Up to `steps` further steps; fewer when one fails, as `status` tells. `state` is given away."""
        last = state.step + steps

        def unfinished(state: State) -> Array:
            return (state.step < last) & (state.status == RUNNING)

        return lax.while_loop(unfinished, lambda state: self._step(problem, state), state)

    def _step(self, problem: Any, state: State) -> State:
        """One step, or the state as it was, marked, if the step led nowhere."""
        new = (
            self._line_search_step(problem, state)
            if self.name == "lbfgs"
            else self._plain_step(problem, state)
        )
        return self.judge(new, state)

    def judge(self, new: State, state: State) -> State:
        """`new` as the state after one more step, or `state`, marked, where the step led nowhere."""
        finite = _finite(new.value, new.grad)
        stalled = (new.value >= state.value) if self.name == "lbfgs" else jnp.zeros((), bool)
        better = finite & (new.value < state.best_value)
        new = new._replace(
            step=state.step + 1,
            best_image=jnp.where(better, new.image, state.best_image),
            best_value=jnp.where(better, new.value, state.best_value),
        )
        # Not chosen as well: the optimiser's own state, whose copy would be large; `recover` begins it anew.
        new, memory = new._replace(optimizer=None), new.optimizer
        kept = jax.tree.map(
            lambda a, b: jnp.where(finite & ~stalled, a, b), new, state._replace(optimizer=None)
        )
        status = jnp.where(finite, jnp.where(stalled, STALLED, RUNNING), NOT_FINITE).astype(jnp.int32)
        return kept._replace(optimizer=memory, evaluations=new.evaluations, status=status)

    def _line_search_step(self, problem: Any, state: State) -> State:
        search, memory = self.begin_search(state)
        search = lax.while_loop(
            line_search.unfinished,
            lambda search: line_search.evaluate(search, partial(self.objective, problem)),
            search,
        )
        return self.end_search(state, search, memory)

    def begin_search(self, state: State) -> tuple[Any, Any]:
        """The line search of L-BFGS that leaves from `state`, and the memory once it has ended."""
        direction, memory = self.transformation.update(state.grad, state.optimizer, state.image)
        return line_search.begin(direction, state.image, state.value, state.grad), memory

    def end_search(self, state: State, search: Any, memory: Any) -> State:
        """`state` after the step that `search` has found."""
        return state._replace(
            image=line_search.end(search),
            # The search ends with an evaluation at the new image: no other is needed.
            value=search.value,
            grad=search.grad,
            optimizer=memory,
            evaluations=state.evaluations + search.count,
        )

    def _plain_step(self, problem: Any, state: State) -> State:
        updates, optimizer = self.transformation.update(state.grad, state.optimizer, state.image)
        image = optax.apply_updates(state.image, jax.tree.map(lambda u: state.rate * u, updates))
        value, grad = jax.value_and_grad(self.objective, argnums=1)(problem, image)
        return state._replace(
            image=image,
            value=value,
            grad=grad,
            optimizer=optimizer,
            evaluations=state.evaluations + 1,
        )

    def recover(self, problem: Any, state: State) -> State | None:
        """Go on after a failed step: L-BFGS forgets its memory, the others go back to the best image with a
        smaller step. None where that was tried at this very step already, or too often.
        """
        if self.name == "lbfgs":
            if int(state.restarted) == int(state.step):
                return None
            fresh, rate = self.start(problem, state.image), state.rate
        else:
            rate = state.rate * SHRINK
            if float(rate) < SHRINK**MOST_SHRINKS:
                return None
            fresh = self.start(problem, state.best_image)
        return fresh._replace(
            best_image=state.best_image,
            best_value=state.best_value,
            rate=rate,
            step=state.step,
            evaluations=state.evaluations + fresh.evaluations,
            restarted=jnp.copy(state.step),  # of its own, as `advance` gives each away
        )


def minimize(
    optimizer: Optimizer,
    problem: Any,
    state: State,
    stops: Iterable[int],
    watch: Callable[[State], bool],
    advance: Callable[[Any, State, Array], State] | None = None,
) -> State:
    """Advance to each of the increasing step numbers `stops`, calling `watch` at them and at times between.

    Ends early where L-BFGS can go no lower (`status` says STALLED then), or when `watch` returns False.
    `advance` may be `optimizer.advance` compiled beforehand.

    Raises:
        DivergedError: the loss is not finite and `Optimizer.recover` is at its end.
    """
    advance = advance or optimizer.advance
    chunk = 1
    for stop in stops:
        while int(state.step) < stop:
            began = time.monotonic()
            state = advance(problem, state, jnp.asarray(min(chunk, stop - int(state.step)), jnp.int32))
            if (status := int(state.status)) != RUNNING:
                recovered = optimizer.recover(problem, state)
                if recovered is None and status == STALLED:
                    watch(state)
                    return state
                if recovered is None:
                    raise DivergedError(state)
                state = recovered
            if time.monotonic() - began < CHUNK_SECONDS / 2:
                chunk *= 2
            if not watch(state):
                return state
    return state


def _finite(value: Array, grad: Array) -> Array:
    return jnp.isfinite(value) & jnp.all(jnp.isfinite(grad))


def restore(leaves: list[np.ndarray], like: State) -> State:
    """A `State` from the saved leaves of one whose structure, shapes and dtypes are those of `like`.

    Raises:
        UserError: they do not fit, as another version of this package wrote them.
    """
    expected, structure = jax.tree.flatten(like)
    if [(a.shape, a.dtype) for a in leaves] != [(a.shape, a.dtype) for a in expected]:
        raise UserError("--resume: the checkpoint was written by another version of nst_jax; start anew")
    return jax.tree.unflatten(structure, [jnp.array(leaf) for leaf in leaves])
