"""The compact form of L-BFGS's history: the two loops of the textbook, and slots that are reused."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from nst_jax.optimizers.history import empty, remember, times_inverse_hessian

SHAPE = (1, 5, 7, 3)


def bowl(seed=0):
    """A quadratic of condition 100, its points along a path and its gradients there."""
    rng = np.random.default_rng(seed)
    basis = np.linalg.qr(rng.normal(size=(105, 105)))[0]
    hessian = basis @ np.diag(np.geomspace(1, 100, 105)) @ basis.T
    points = rng.normal(size=(9, *SHAPE))
    gradients = (points.reshape(9, -1) @ hessian).reshape(points.shape)
    return jnp.asarray(points, jnp.float32), jnp.asarray(gradients, jnp.float32)


@pytest.mark.parametrize("memory", [1, 4, 20], ids=["one slot", "slots reused", "slots empty"])
def test_the_direction_is_optaxs(memory):
    points, gradients = bowl()
    two_loops = optax.scale_by_lbfgs(memory)
    update, state, history = jax.jit(two_loops.update), two_loops.init(points[0]), empty(memory, points[0])
    for k, (x, gradient) in enumerate(zip(points, gradients, strict=True)):
        expected, state = update(gradient, state, x)
        history, _ = jax.jit(remember)(history, x - points[k - 1], gradient)
    s, y = points[-1] - points[-2], gradients[-1] - gradients[-2]
    direction = times_inverse_hessian(history, jnp.vdot(s, y) / jnp.vdot(y, y))
    np.testing.assert_allclose(direction, expected, rtol=1e-3, atol=1e-5)


def test_without_steps_the_guess_alone_counts():
    points, gradients = bowl()
    history, valid = remember(empty(3, points[0]), points[0], gradients[0])
    assert not valid, "the first call has no step"
    history, valid = remember(history, points[0], gradients[0] - 0.1 * points[0])
    assert not valid, "the gradient shrinks along the step: s . y < 0"
    np.testing.assert_array_equal(history.inverse, 0)
    np.testing.assert_allclose(times_inverse_hessian(history, jnp.float32(0.5)), 0.5 * history.gradient)
