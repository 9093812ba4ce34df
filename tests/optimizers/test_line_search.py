"""The line search against optax's and scipy's, and the objective in the program once."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax import lax
from scipy import optimize

from nst_jax.optimizers import line_search
from nst_jax.optimizers.state import Evaluation

IMAGE = jnp.asarray(np.random.default_rng(0).uniform(size=(1, 4, 5, 3)), jnp.float32)
CURVATURE = jnp.geomspace(1, 300, 60).reshape(IMAGE.shape)


def bumpy(image):
    """A bowl with ripples: searches take one to many evaluations."""
    return 0.5 * jnp.sum(CURVATURE * jnp.square(image)) + 0.3 * jnp.sum(jnp.cos(9 * image))


def ours(direction, objective=bumpy):
    def evaluate(image):
        return Evaluation(*jax.value_and_grad(objective)(image), {"sum": image.sum()})

    search = line_search.begin(direction, IMAGE, evaluate(IMAGE))
    return lax.while_loop(line_search.unfinished, lambda s: line_search.evaluate(s, evaluate), search)


# From a step that is right to one that is far too long, and uphill, where no step is right.
@pytest.mark.parametrize("length", [3e-3, 0.02, 1.0, 50.0, -0.01])
def test_the_search_is_optaxs(length):
    value, grad = jax.value_and_grad(bumpy)(IMAGE)
    theirs = optax.scale_by_zoom_linesearch(line_search.MOST_EVALUATIONS, initial_guess_strategy="one")
    step, state = jax.jit(
        lambda direction: theirs.update(
            direction, theirs.init(IMAGE), IMAGE, value=value, grad=grad, value_fn=bumpy
        )
    )(-length * grad)
    search = jax.jit(ours)(-length * grad)
    assert int(search.evaluations) == int(state.info.num_linesearch_steps)
    image, value, grad, terms = line_search.end(search)
    np.testing.assert_allclose(terms["sum"], image.sum(), rtol=1e-6)
    np.testing.assert_allclose(image, IMAGE + step, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(value, state.value, rtol=1e-5)
    np.testing.assert_allclose(grad, state.grad, rtol=1e-4, atol=1e-3)


def test_the_lengths_above_try_the_search():
    grad = jax.grad(bumpy)(IMAGE)
    counts = {int(ours(-length * grad).evaluations) for length in (1e-6, 3e-3, 1.0)}
    assert min(counts) == 1
    assert max(counts) > 3


def quartic(image):
    return jnp.sum(jnp.linspace(0.5, 3, 60).reshape(IMAGE.shape) * (1 + image) ** 4)


# Steps that are too short grow by the slopes, where optax and scipy double them.
@pytest.mark.parametrize("length", [1e-5, 1e-4])
def test_short_steps_grow_in_fewer_evaluations_than_scipys(length):
    direction = -length * jax.grad(quartic)(IMAGE)
    search = ours(direction, quartic)
    start, step = quartic(IMAGE), search.newest.step
    slope = jnp.vdot(direction, jax.grad(quartic)(IMAGE))
    end, grad = jax.value_and_grad(quartic)(IMAGE + step * direction)
    assert end <= start + line_search.DECREASE * step * slope
    assert abs(jnp.vdot(direction, grad)) <= line_search.CURVATURE * abs(slope)

    def flat(function):
        return lambda x: np.asarray(function(jnp.float32(x).reshape(IMAGE.shape)), float).ravel()

    value, gradient = flat(quartic), flat(jax.grad(quartic))
    x, p = np.ravel(IMAGE).astype(float), np.ravel(direction).astype(float)
    _, theirs, *_ = optimize.line_search(lambda x: value(x).item(), gradient, x, p, amax=1e8)
    assert int(search.evaluations) < theirs


def test_the_objective_is_in_the_program_once():
    program = jax.jit(ours).lower(IMAGE).as_text()
    # Each evaluation has one sine, of the gradient; `begin` makes the other.
    assert program.count("stablehlo.sine") == 2
