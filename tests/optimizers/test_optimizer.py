"""The compiled steps: against steps written by hand, one program per shape, the state that they keep."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nst_jax.config import OptimizerConfig
from nst_jax.errors import UserError
from nst_jax.optimizers.methods import METHODS, find_method
from nst_jax.optimizers.optimizer import Optimizer
from nst_jax.optimizers.state import restore
from tests.descents import CURVATURE, START, TARGET, advance, descend, make_optimizer, quadratic, start


def test_gradient_descent_is_the_plain_step():
    state = descend(make_optimizer("gd"), 7)
    image = np.asarray(START, np.float64)
    for _ in range(7):
        image = image - 1e-3 * np.asarray(CURVATURE, np.float64) * (image - np.asarray(TARGET, np.float64))
    np.testing.assert_allclose(state.variable, image, rtol=1e-5, atol=1e-6)
    assert int(state.step) == 7
    assert int(state.evaluations) == 8


def test_adam_is_kingma_and_ba():
    state = descend(make_optimizer("adam"), 5, rate=0.05)
    image, m, v = np.asarray(START, np.float64), 0.0, 0.0
    for t in range(1, 6):
        g = np.asarray(CURVATURE, np.float64) * (image - np.asarray(TARGET, np.float64))
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
        image = image - 0.05 * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
    np.testing.assert_allclose(state.variable, image, rtol=1e-4, atol=1e-5)


def test_the_average_is_that_of_the_start_and_all_images_since():
    plain = [np.asarray(descend(make_optimizer("adam"), steps, rate=0.05).variable) for steps in range(6)]
    weights = 0.8 ** np.arange(6)[::-1]
    optimizer = make_optimizer("adam", average=0.8)
    state = descend(optimizer, 5, rate=0.05)
    expected = sum(weight * image for weight, image in zip(weights / weights.sum(), plain, strict=True))
    np.testing.assert_allclose(optimizer.method.picture(state), expected, rtol=1e-5)
    np.testing.assert_allclose(state.variable, plain[-1], rtol=1e-6)


def test_moments_of_another_size_are_kept_without_a_step_before_the_first_evaluation():
    optimizer = make_optimizer("adam", warm_start=True, b2=0.99)
    last = descend(optimizer, 5)
    half = optimizer.method.init(START[:, ::2])
    memory = optimizer.method.carried(last.memory, half)
    assert memory.method.moments.mu.shape == half.method.moments.mu.shape
    assert float(memory.method.moments.nu.min()) >= 0
    same = optimizer.method.carried(last.memory, start(optimizer).memory)
    jax.tree.map(np.testing.assert_array_equal, same.method.moments, last.memory.method.moments)
    opened = optimizer.advance(
        None, TARGET, start(optimizer)._replace(memory=same), jnp.int32(0), jnp.int32(9)
    )
    np.testing.assert_array_equal(opened.variable, START)
    np.testing.assert_array_equal(opened.memory.method.moments.mu, last.memory.method.moments.mu)
    assert int(opened.memory.method.moments.count) == 5


def test_lbfgs_solves_what_gradient_descent_crawls_at():
    first = float(quadratic(None, TARGET, START))
    assert float(descend(make_optimizer("lbfgs"), 60).value) < 1e-6 * first
    assert float(descend(make_optimizer("gd"), 60).value) > 1e-3 * first


@pytest.mark.parametrize("name", METHODS)
def test_the_state_holds_the_objective_at_its_image(name):
    state = descend(make_optimizer(name), 9)
    value, grad = jax.value_and_grad(quadratic, argnums=2)(None, TARGET, state.variable)
    assert float(state.value) == pytest.approx(float(value), rel=1e-5)
    np.testing.assert_allclose(state.grad, grad, rtol=1e-3, atol=1e-3)
    assert float(state.terms["twice"]) == 2 * float(state.value)


@pytest.mark.parametrize("name", METHODS)
def test_the_first_evaluation_is_of_the_start_and_takes_no_step(name):
    optimizer = make_optimizer(name, memory=3)
    state = advance(optimizer, start(optimizer), 0)
    assert (int(state.step), int(state.evaluations)) == (0, 1)
    np.testing.assert_array_equal(state.variable, START)
    assert float(state.value) == pytest.approx(float(quadratic(None, TARGET, START)), rel=1e-6)
    for before, after in zip(*map(jax.tree.leaves, (start(optimizer).memory, state.memory)), strict=True):
        if before.shape[1:] != START.shape[1:]:
            np.testing.assert_array_equal(before, after)


def test_evaluations_are_counted_as_they_happen():
    count = []

    def counted(shared, target, image):
        jax.debug.callback(lambda: count.append(1))
        return quadratic(shared, target, image)

    state = descend(make_optimizer("lbfgs", counted), 20)
    jax.effects_barrier()
    assert int(state.evaluations) == len(count) >= 21


@pytest.mark.parametrize("name", METHODS)
def test_one_program_per_image_shape(name):
    optimizer = make_optimizer(name)
    state = descend(optimizer, 40)
    for stop in (45, 47, 60):
        state = advance(optimizer, state, stop)
    assert int(state.step) == 60
    assert optimizer.advance._cache_size() == 1
    assert optimizer.start._cache_size() == 1


@pytest.mark.parametrize("name", METHODS)
def test_cutting_a_run_into_other_calls_changes_no_bit(name):
    optimizer = make_optimizer(name)
    whole = descend(optimizer, 23)
    pieces = start(optimizer)
    for evaluations in (1, 5, 2, 100):
        leaves = [np.asarray(leaf) for leaf in jax.tree.leaves(pieces)]
        state = restore(leaves, pieces)
        pieces = optimizer.advance(None, TARGET, state, jnp.int32(23), jnp.int32(evaluations))
    for a, b in zip(jax.tree.leaves(whole), jax.tree.leaves(pieces), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_checkpoint_of_another_version_is_refused():
    state = start(make_optimizer("adam"))
    leaves = [np.asarray(leaf) for leaf in jax.tree.leaves(state)]
    with pytest.raises(UserError, match="written by another version"):
        restore(leaves[1:], state)


@pytest.mark.parametrize("name", ["lbfgs", "adam"])
def test_a_step_keeps_one_state_and_the_callers_picture(name):
    large = jax.ShapeDtypeStruct((1, 200, 300, 3), jnp.float32)
    rate, count = jax.ShapeDtypeStruct((), jnp.float32), jax.ShapeDtypeStruct((), jnp.int32)
    method = find_method(OptimizerConfig(name))
    optimizer = Optimizer(lambda shared, target, image: (jnp.sum((image - target) ** 2), {}), method)
    state = jax.eval_shape(optimizer.first_state, None, large, large, rate)
    needs = optimizer.advance.lower(None, large, state, count, count).compile().memory_analysis()
    picture, whole = 4 * large.size, sum(4 * leaf.size for leaf in jax.tree.leaves(state))
    assert needs.alias_size_in_bytes >= whole - 100
    assert needs.temp_size_in_bytes < 10 * picture
    descend(make_optimizer(name), 3)
    assert not START.is_deleted()


def test_an_unknown_method_is_named():
    with pytest.raises(UserError, match=r"optimizer\.name: unknown 'sgd'.*lbfgs, adam, nadam, gd"):
        find_method(OptimizerConfig("sgd"))
