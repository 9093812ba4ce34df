"""L-BFGS with a scale for each band: against the textbook's matrix, and where it should help."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import scipy.fft

from nst_jax.bands import lbfgs_direction, scale_by_banded_lbfgs
from nst_jax.lanes import Lanes
from nst_jax.optimize import Optimizer, minimize
from tests.conftest import formula_image

SHAPE = (1, 12, 16, 3)


def frequencies() -> np.ndarray:
    return np.hypot(np.arange(12)[:, None] / 12, np.arange(16) / 16)[None, :, :, None]


def blurred(problem, image):
    """A bowl around `problem`, of curvature 1 for what is flat and 2,000 for the finest detail."""
    spectrum = jax.scipy.fft.dctn(image - problem, axes=(1, 2, 3), norm="ortho")
    return 0.5 * jnp.sum(jnp.asarray(1 + 1e3 * frequencies() ** 2, jnp.float32) * spectrum**2)


def evaluations_to(target, bands, objective=blurred):
    optimizer = Optimizer(objective, "lbfgs", 0.1, memory=5, bands=bands)
    problem = formula_image(12, 16)
    state = optimizer.start(problem, jnp.zeros(SHAPE))
    goal = target * float(state.value)
    state = minimize(optimizer, problem, state, range(1, 301), lambda state: float(state.value) > goal)
    assert float(state.value) <= goal
    return int(state.evaluations)


def test_it_is_sooner_where_curvature_goes_by_frequency():
    assert evaluations_to(1e-5, bands=True) < 0.6 * evaluations_to(1e-5, bands=False)


def test_the_direction_is_the_textbooks_inverse_hessian_times_the_gradient():
    rng = np.random.default_rng(0)
    hessian = rng.normal(size=(576, 576))
    hessian = hessian @ hessian.T / 576 + np.eye(576)
    points = [rng.normal(size=SHAPE).astype(np.float32) for _ in range(5)]
    gradients = [(hessian @ x.ravel()).reshape(SHAPE).astype(np.float32) for x in points]
    transformation = scale_by_banded_lbfgs(3)
    state = transformation.init(jnp.asarray(points[0]))
    for x, g in zip(points, gradients, strict=True):
        direction, state = transformation.update(jnp.asarray(g), state, jnp.asarray(x))

    def coefficients(x):
        return scipy.fft.dctn(np.asarray(x, np.float64), axes=(1, 2, 3), norm="ortho").ravel()

    # The newest three pairs, oldest first; equation 7.16 and 7.17 of Nocedal & Wright 2006, as matrices.
    pairs = [
        [coefficients(b) - coefficients(a) for a, b in ((xs[i], xs[i + 1]) for xs in (points, gradients))]
        for i in (1, 2, 3)
    ]
    H = np.diag(first_guess(pairs))
    for s, y in pairs:
        rho = 1 / (s @ y)
        V = np.eye(len(s)) - rho * np.outer(y, s)
        H = V.T @ H @ V + rho * np.outer(s, s)
    np.testing.assert_allclose(coefficients(direction), H @ coefficients(gradients[-1]), rtol=2e-3, atol=2e-3)


def first_guess(pairs):
    """Per band |s| / |y| over all pairs; scaled as the plain method does, by the newest pair."""
    octaves = np.log2(np.maximum(frequencies(), 1 / 32) * 16) / 0.65
    radial = np.maximum(np.floor(octaves) + 1, 0)
    bands = (radial + 1000 * np.arange(3)).ravel()
    scales = np.empty(len(bands))
    for band in np.unique(bands):
        S, Y = (sum((pair[k][bands == band] ** 2).sum() for pair in pairs) for k in (0, 1))
        scales[bands == band] = np.sqrt(S / Y)
    s, y = pairs[-1]
    return scales * (s @ y) / (y @ (scales * y))


def test_plain_directions_are_optaxs():
    x, g = formula_image(12, 16), formula_image(12, 16, 1.0)
    ours, plain = lbfgs_direction(4, bands=False), optax.scale_by_lbfgs(4)
    direction, _ = ours.update(g, ours.init(x), x)
    np.testing.assert_array_equal(direction, -plain.update(g, plain.init(x), x)[0])


@pytest.mark.parametrize("memory", [1, 4])
def test_a_step_that_curves_the_wrong_way_is_not_remembered(memory):
    transformation = scale_by_banded_lbfgs(memory)
    x, g = formula_image(12, 16), formula_image(12, 16, 1.0)
    state = transformation.init(x)
    for k in range(3):  # the gradient shrinks along the steps taken: s . y < 0
        direction, state = transformation.update(g - 0.1 * k * x, state, x + k * x)
    np.testing.assert_array_equal(state.weights, 0)
    assert float(jnp.vdot(direction, g - 0.2 * x)) > 0


def test_lanes_take_the_steps_of_single_runs():
    optimizer = Optimizer(blurred, "lbfgs", 0.1, memory=5, bands=True)
    lanes = Lanes(optimizer, lambda shared, own: own, jax.devices()[:1])
    targets = jnp.stack([formula_image(12, 16, phase) for phase in (0.0, 1.0)])
    starts = jnp.zeros_like(targets)
    together = lanes.start(None, targets, starts, jnp.ones(2))
    together = lanes.advance(None, targets, together, jnp.int32(8), jnp.int32(1000)).state
    for i, (target, start) in enumerate(zip(targets, starts, strict=True)):
        single = optimizer.advance(target, optimizer.start(target, start), jnp.int32(8))
        assert int(together.evaluations[i]) == int(single.evaluations)
        np.testing.assert_allclose(together.image[i], single.image, rtol=1e-3, atol=1e-4)
