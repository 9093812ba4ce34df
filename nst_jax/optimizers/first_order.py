"""Adam and plain gradient descent: one evaluation per step, in the direction computed by optax."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float, Int

from nst_jax.config import OptimizerConfig
from nst_jax.optimizers.method import Method, Point, Retry
from nst_jax.optimizers.state import Evaluation, State, VariableArray, select, strongly_typed

# Each divergence multiplies the learning rate by SHRINK, at most MOST_SHRINKS times: 1e-30 spans float32.
SHRINK, MOST_SHRINKS = 0.1, 30


class Trial(NamedTuple):
    """A search of one evaluation: of the proposed variable once `evaluated`, before that of the last one."""

    variable: VariableArray
    evaluation: Evaluation
    evaluated: Bool[Array, ""]


class Average(NamedTuple):
    """The exponential average of the variables so far, corrected for their number."""

    variable: Float[Array, "*lanes 1 h w 3"]
    number: Int[Array, "*lanes"]  # of the variables

    def with_next(self, variable: VariableArray, decay: float) -> "Average":
        """The average with one more variable, whose weight is 1 - decay once there are many."""
        # The correction gives the first variables their full weight, as Adam does its moments.
        weight = (1 - decay) / (1 - decay ** (self.number + 1))
        return Average(self.variable + weight * (variable - self.variable), self.number + 1)


class Memory(NamedTuple):
    """What is kept from step to step; None for an average that is not asked for."""

    moments: Any  # of the optax transformation
    average: Average | None


def adam(config: OptimizerConfig, nesterov: bool = False) -> Method:
    """Adam (Kingma & Ba 2015), or with Nesterov's momentum NAdam (Dozat 2016).

    An average of its variables as the result, and moments that are kept from scale to scale, are taken from
    crowsonkb/style-transfer-pytorch.
    """
    carried = _resized if config.warm_start else None
    return _first_order(optax.scale_by_adam(b2=config.b2, nesterov=nesterov), config.average, carried)


def gradient_descent() -> Method:
    """G := G - learning_rate * dJ/dG, exactly, while the loss is finite."""
    return _first_order(optax.identity())


def _first_order(
    transformation: optax.GradientTransformation,
    decay: float = 0.0,
    carried: Callable[[Memory, Memory], Memory] | None = None,
) -> Method:
    def init(variable: VariableArray) -> Memory:
        average = Average(variable, jnp.ones((), jnp.int32)) if decay else None
        return strongly_typed(Memory(transformation.init(variable), average))

    def begin(state: State) -> tuple[Trial, Memory]:
        updates, moments = transformation.update(state.grad, state.memory.moments, state.variable)
        variable = optax.apply_updates(state.variable, -state.rate * updates)
        # Moments from a coarser scale would take a step before the first evaluation.
        variable, moments = select(state.opening, (state.variable, state.memory.moments), (variable, moments))
        average = state.memory.average and state.memory.average.with_next(variable, decay)
        trial = Trial(variable, Evaluation(state.value, state.grad, state.terms), jnp.zeros((), bool))
        return trial, Memory(moments, average)

    return Method(
        init=init,
        begin=begin,
        evaluate=lambda trial, evaluate: Trial(trial.variable, evaluate(trial.variable), jnp.ones((), bool)),
        unfinished=lambda trial: ~trial.evaluated,
        end=lambda trial: Point(trial.variable, *trial.evaluation),
        stalled=lambda point, state: jnp.zeros((), bool),
        retry=_smaller_steps,
        picture=lambda state: state.memory.average.variable if decay else state.variable,
        carried=carried,
    )


def _resized(last: Memory, new: Memory) -> Memory:
    """Adam's moments at a new size: smooth first moments, second ones that stay positive."""
    adam: optax.ScaleByAdamState = last.moments
    size = new.moments.mu.shape
    mu = jax.image.resize(adam.mu, size, "cubic", antialias=False)
    nu = jnp.maximum(jax.image.resize(adam.nu, size, "linear", antialias=False), 0)
    return new._replace(moments=adam._replace(mu=mu, nu=nu))


def _smaller_steps(state: State, learning_rate: float) -> Retry | None:
    """Restart from the best variable with a smaller learning rate; None after too many attempts."""
    rate = state.rate * SHRINK
    if float(rate) < learning_rate * SHRINK**MOST_SHRINKS:
        return None
    return Retry(state.best_variable, rate)
