"""The run loop: recovery from bad steps, the end of a descent, the watch."""

import jax.numpy as jnp
import numpy as np
import pytest

from nst_jax.optimizers.lanes import Lanes
from nst_jax.optimizers.loop import Loop
from nst_jax.optimizers.methods import METHODS
from nst_jax.optimizers.state import NOT_FINITE, RUNNING, STALLED
from tests.descents import START, TARGET, make_optimizer, quadratic


def run(name, steps, rate=1e-3, objective=quadratic, image=START, watch=lambda look: True):
    """A single run of the loop, and whether it came to its end."""
    lanes = Lanes(make_optimizer(name, objective), 1)
    loop = Loop(lanes, None, TARGET[np.newaxis], np.asarray(image)[np.newaxis], [rate])
    return loop, loop.run_to(steps, watch)


def test_a_diverging_learning_rate_is_cut_until_it_works():
    loop, _ = run("gd", 400, rate=1e3)
    look = loop.look()
    assert look.status[0] == RUNNING
    assert float(loop.state.rate[0]) < 0.1
    assert look.value[0] < 0.5 * float(quadratic(None, TARGET, START))


@pytest.mark.parametrize("name", METHODS)
def test_a_loss_that_is_never_finite_rests_with_the_best_image(name):
    loop, ended = run(name, 5, objective=lambda shared, target, image: jnp.sum(image) + jnp.nan)
    assert ended
    assert loop.resting.all()
    assert (loop.look().status[0], loop.look().step[0]) == (NOT_FINITE, 0)
    np.testing.assert_array_equal(loop.state.best_variable[0], START)


def cliff(shared, target, image):
    """Finite near `START`, not a number further out: a trap on the way to the minimum."""
    return jnp.where(jnp.max(jnp.abs(image)) > 0.3, jnp.nan, quadratic(shared, target, image))


def test_lbfgs_keeps_the_last_good_image_before_a_cliff():
    loop, _ = run("lbfgs", 30, objective=cliff)
    assert float(jnp.max(jnp.abs(loop.state.variable))) < 0.3001
    assert loop.look().value[0] < float(quadratic(None, TARGET, START))


def test_lbfgs_at_the_minimum_stalls_and_rests():
    loop, ended = run("lbfgs", 50, image=TARGET)
    assert ended
    assert loop.look().status[0] == STALLED
    assert loop.look().step[0] < 50
    assert loop.run_to(60, lambda look: pytest.fail("nothing is left to look at"))


def test_watch_ends_the_work():
    loop, ended = run("gd", 1000, watch=lambda look: look.step[0] < 10)
    assert not ended
    assert 10 <= loop.look().step[0] < 1000


def test_counts_go_on_from_a_coarser_scale():
    loop, _ = run("gd", 0)
    loop.count_from(100, np.array([70]))
    assert loop.run_to(103, lambda look: True)
    assert (loop.look().step[0], loop.look().evaluations[0]) == (103, 74)
