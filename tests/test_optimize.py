"""The step loop: against steps written by hand, one program per shape, recovery from bad steps."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nst_jax.optimize import RUNNING, STALLED, DivergedError, Optimizer, minimize, restore

TARGET = jnp.asarray(np.random.default_rng(0).uniform(size=(1, 4, 5, 3)), jnp.float32)
CURVATURE = jnp.asarray(np.geomspace(1, 300, 60).reshape(1, 4, 5, 3), jnp.float32)
START = jnp.zeros_like(TARGET)


def quadratic(problem, image):
    """An ill-conditioned bowl with its minimum, 0, at `problem`."""
    return 0.5 * jnp.sum(CURVATURE * (image - problem) ** 2)


def run(name, steps, learning_rate=1e-3, objective=quadratic, start=START, watch=lambda state: True):
    optimizer = Optimizer(objective, name, learning_rate)
    state = minimize(optimizer, TARGET, optimizer.start(TARGET, start), [steps], watch)
    return optimizer, state


def test_gradient_descent_is_the_plain_step():
    _, state = run("gd", 7)
    image = np.asarray(START, np.float64)
    for _ in range(7):
        image = image - 1e-3 * np.asarray(CURVATURE, np.float64) * (image - np.asarray(TARGET, np.float64))
    np.testing.assert_allclose(state.image, image, rtol=1e-5, atol=1e-6)
    assert int(state.step) == 7
    assert int(state.evaluations) == 8


def test_adam_is_kingma_and_ba():
    _, state = run("adam", 5, learning_rate=0.05)
    image, m, v = np.asarray(START, np.float64), 0.0, 0.0
    for t in range(1, 6):
        g = np.asarray(CURVATURE, np.float64) * (image - np.asarray(TARGET, np.float64))
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
        image = image - 0.05 * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
    np.testing.assert_allclose(state.image, image, rtol=1e-4, atol=1e-5)


def test_lbfgs_solves_what_gradient_descent_crawls_at():
    _, lbfgs = run("lbfgs", 60)
    _, gd = run("gd", 60)
    assert float(lbfgs.value) < 1e-6 * float(quadratic(TARGET, START))
    assert float(gd.value) > 1e-3 * float(quadratic(TARGET, START))


@pytest.mark.parametrize("name", ["lbfgs", "adam", "gd"])
def test_the_state_holds_the_objective_at_its_image(name):
    _, state = run(name, 9)
    value, grad = jax.value_and_grad(quadratic, argnums=1)(TARGET, state.image)
    assert float(state.value) == pytest.approx(float(value), rel=1e-5)
    np.testing.assert_allclose(state.grad, grad, rtol=1e-3, atol=1e-3)


def test_evaluations_are_counted_as_they_happen():
    count = []

    def counted(problem, image):
        jax.debug.callback(lambda: count.append(1))
        return quadratic(problem, image)

    _, state = run("lbfgs", 20, objective=counted)
    jax.effects_barrier()
    assert int(state.evaluations) == len(count) >= 21


@pytest.mark.parametrize("name", ["lbfgs", "adam", "gd"])
def test_one_program_per_image_shape(name):
    optimizer, state = run(name, 40)
    assert optimizer.advance._cache_size() == 1
    state = minimize(optimizer, TARGET, state, [45, 47, 60], lambda state: True)
    assert int(state.step) == 60
    assert optimizer.advance._cache_size() == 1
    assert optimizer.start._cache_size() == 1


@pytest.mark.parametrize("name", ["lbfgs", "adam", "gd"])
def test_cutting_a_run_into_other_chunks_changes_no_bit(name):
    optimizer = Optimizer(quadratic, name, 1e-3)
    whole = optimizer.advance(TARGET, optimizer.start(TARGET, START), jnp.int32(23))
    pieces = optimizer.start(TARGET, START)
    for steps in (1, 5, 2, 15):
        leaves = [np.asarray(leaf) for leaf in jax.tree.leaves(pieces)]
        pieces = optimizer.advance(TARGET, restore(leaves, pieces), jnp.int32(steps))
    for a, b in zip(jax.tree.leaves(whole), jax.tree.leaves(pieces), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("name", ["lbfgs", "adam"])
def test_a_step_keeps_one_state_and_the_callers_picture(name):
    large = jax.ShapeDtypeStruct((1, 200, 300, 3), jnp.float32)
    optimizer = Optimizer(lambda problem, image: jnp.sum((image - problem) ** 2), name, 0.1)
    state = jax.eval_shape(optimizer._start, large, large)
    needs = optimizer.advance.lower(large, state, jnp.int32(1)).compile().memory_analysis()
    picture, whole = 4 * large.size, sum(4 * leaf.size for leaf in jax.tree.leaves(state))
    assert needs.alias_size_in_bytes >= whole - 100
    assert needs.temp_size_in_bytes < 10 * picture
    run(name, 3)
    assert not START.is_deleted()


def test_a_diverging_learning_rate_is_cut_until_it_works():
    _, state = run("gd", 400, learning_rate=1e3)
    assert int(state.status) == RUNNING
    assert float(state.rate) < 1e-4
    assert float(state.value) < 0.5 * float(quadratic(TARGET, START))


@pytest.mark.parametrize("name", ["lbfgs", "adam", "gd"])
def test_a_loss_that_is_never_finite_stops_with_the_best_image(name):
    with pytest.raises(DivergedError, match="not finite after step 0") as caught:
        run(name, 5, objective=lambda problem, image: jnp.sum(image) + jnp.nan)
    np.testing.assert_array_equal(caught.value.state.best_image, START)


def cliff(problem, image):
    """Finite near `START`, not a number further out: a trap on the way to the minimum."""
    return jnp.where(jnp.max(jnp.abs(image)) > 0.3, jnp.nan, quadratic(problem, image))


def test_lbfgs_keeps_the_last_good_image_before_a_cliff():
    try:
        _, state = run("lbfgs", 30, objective=cliff)
    except DivergedError as error:
        state = error.state
    assert float(jnp.max(jnp.abs(state.image))) < 0.3001
    assert float(state.value) < float(quadratic(TARGET, START))


def test_lbfgs_at_the_minimum_stops_and_says_so():
    seen = []
    optimizer = Optimizer(quadratic, "lbfgs", 0.1)
    state = optimizer.start(TARGET, TARGET)
    state = minimize(optimizer, TARGET, state, [50], lambda state: seen.append(int(state.status)) or True)
    assert int(state.status) == STALLED == seen[-1]
    assert int(state.step) < 50


def test_watch_ends_the_run():
    _, state = run("gd", 1000, watch=lambda state: int(state.step) < 10)
    assert 10 <= int(state.step) < 1000
