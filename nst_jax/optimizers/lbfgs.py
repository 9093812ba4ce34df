"""L-BFGS: a search direction from the history of steps, then a line search along it."""

from typing import Any

import jax.numpy as jnp
import optax

from nst_jax.devices.split import Split
from nst_jax.optimizers import line_search
from nst_jax.optimizers.bands import scale_by_banded_lbfgs
from nst_jax.optimizers.method import Method, Retry
from nst_jax.optimizers.state import Evaluation, State, strongly_typed


def lbfgs(memory: int, bands: bool, split: Split | None = None) -> Method:
    """L-BFGS with a history of `memory` steps; for `bands`, see `nst_jax.optimizers.bands`."""
    transformation = scale_by_banded_lbfgs(memory, split) if bands else optax.scale_by_lbfgs(memory)

    def begin(state: State) -> tuple[line_search.Search, Any]:
        uphill, history = transformation.update(state.grad, state.memory, state.variable)
        evaluation = Evaluation(state.value, state.grad, state.terms)
        return line_search.begin(-uphill, state.variable, evaluation), history

    return Method(
        init=lambda variable: strongly_typed(transformation.init(variable)),
        begin=begin,
        evaluate=line_search.evaluate,
        unfinished=line_search.unfinished,
        end=line_search.end,
        stalled=lambda point, state: point.value >= state.value,
        retry=_clear_history,
        compares=True,
        split_over=lambda split: lbfgs(memory, bands, split),
    )


def _clear_history(state: State, learning_rate: float) -> Retry | None:
    """Restart from the current variable with an empty history; None if the last restart was at this step."""
    del learning_rate
    if int(state.restarted) == int(state.step):
        return None
    return Retry(state.variable, jnp.copy(state.rate))
