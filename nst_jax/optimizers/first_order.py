"""Adam and plain gradient descent: one evaluation per step, in the direction computed by optax."""

from typing import Any, NamedTuple

import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool

from nst_jax.optimizers.method import Evaluate, Method, Point, Retry
from nst_jax.optimizers.state import Evaluation, ImageArray, State, strongly_typed

# Each divergence multiplies the learning rate by SHRINK, at most MOST_SHRINKS times: 1e-30 spans float32.
SHRINK, MOST_SHRINKS = 0.1, 30


class Trial(NamedTuple):
    """A search that takes one evaluation: of the proposed image once `evaluated`, before that of the last."""

    image: ImageArray
    evaluation: Evaluation
    evaluated: Bool[Array, ""]


def adam() -> Method:
    """Adam (Kingma & Ba 2015) with optax's default decay rates."""
    return _first_order(optax.scale_by_adam())


def gradient_descent() -> Method:
    """G := G - learning_rate * dJ/dG, exactly, while the loss is finite."""
    return _first_order(optax.identity())


def _first_order(transformation: optax.GradientTransformation) -> Method:
    def begin(state: State) -> tuple[Trial, Any]:
        updates, memory = transformation.update(state.grad, state.memory, state.image)
        image = optax.apply_updates(state.image, -state.rate * updates)
        return Trial(image, Evaluation(state.value, state.grad, state.terms), jnp.zeros((), bool)), memory

    return Method(
        init=lambda image: strongly_typed(transformation.init(image)),
        begin=begin,
        evaluate=_evaluate,
        unfinished=lambda trial: ~trial.evaluated,
        end=lambda trial: Point(trial.image, *trial.evaluation),
        stalled=lambda point, state: jnp.zeros((), bool),
        retry=_smaller_steps,
    )


def _evaluate(trial: Trial, evaluate: Evaluate) -> Trial:
    return Trial(trial.image, evaluate(trial.image), jnp.ones((), bool))


def _smaller_steps(state: State, learning_rate: float) -> Retry | None:
    """Restart from the best image with a smaller learning rate; None after too many attempts."""
    rate = state.rate * SHRINK
    if float(rate) < learning_rate * SHRINK**MOST_SHRINKS:
        return None
    return Retry(state.best_image, rate)
