"""L-BFGS with a scale for each band: against the textbook's matrix, and where it should help."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import scipy.fft

from nst_jax.optimizers.bands import OCTAVES_PER_BAND, first_columns, scale_by_banded_lbfgs
from nst_jax.optimizers.lanes import Lanes
from nst_jax.optimizers.lbfgs import lbfgs
from tests.conftest import formula_image
from tests.descents import MANY, advance, descend, make_optimizer, start

SHAPE = (1, 12, 16, 3)


def frequencies() -> np.ndarray:
    return np.hypot(np.arange(12)[:, None] / 12, np.arange(16) / 16)[None, :, :, None]


def blurred(shared, target, image):
    """A bowl around `target`, of curvature 1 for what is flat and 2,000 for the finest detail."""
    spectrum = jax.scipy.fft.dctn(image - target, axes=(1, 2, 3), norm="ortho")
    return 0.5 * jnp.sum(jnp.asarray(1 + 1e3 * frequencies() ** 2, jnp.float32) * spectrum**2)


def evaluations_to(target, bands, objective=blurred):
    optimizer = make_optimizer("lbfgs", objective, memory=5, bands=bands)
    bottom = formula_image(12, 16)
    state = advance(optimizer, start(optimizer, bottom, jnp.zeros(SHAPE)), 0, bottom)
    goal = target * float(state.value)
    for stop in range(1, 301):
        if float(state.value) <= goal:
            return int(state.evaluations)
        state = advance(optimizer, state, stop, bottom)
    raise AssertionError(f"{float(state.value)} after 300 steps")


def test_it_is_sooner_where_curvature_goes_by_frequency():
    assert evaluations_to(1e-5, bands=True) < 0.6 * evaluations_to(1e-5, bands=False)


def test_the_direction_is_the_textbooks_inverse_hessian_times_the_gradient():
    rng = np.random.default_rng(0)
    hessian = rng.normal(size=(576, 576))
    hessian = hessian @ hessian.T / 576 + np.eye(576)
    transformation = scale_by_banded_lbfgs(3)
    update = jax.jit(transformation.update)
    points, gradients = [rng.normal(size=SHAPE).astype(np.float32)], []
    state = transformation.init(jnp.asarray(points[0]))
    for length in (0.3, 1.4, 0.8, 1.1, 0.0):  # as a line search would choose them
        gradients.append((hessian @ points[-1].ravel()).reshape(SHAPE).astype(np.float32))
        direction, state = update(jnp.asarray(gradients[-1]), state, jnp.asarray(points[-1]))
        points.append(points[-1] - length * np.asarray(direction))

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
    """Per band |s| / |y| over all pairs, limited in the finer half; scaled as the plain method does."""
    octaves = np.log2(np.maximum(frequencies(), 1 / 32) * 16) / 0.65
    radial = np.maximum(np.floor(octaves) + 1, 0)
    bands = (radial + 1000 * np.arange(3)).ravel()
    scales, half = np.empty(len(bands)), (radial.max() + 1) // 2
    for band in np.unique(bands):
        S, Y = (sum((pair[k][bands == band] ** 2).sum() for pair in pairs) for k in (0, 1))
        limit = scales[bands == band - 1].min(initial=np.inf) if band % 1000 > half else np.inf
        scales[bands == band] = min(np.sqrt(S / Y), limit)
    s, y = pairs[-1]
    return scales * (s @ y) / (y @ (scales * y))


def test_plain_directions_are_optaxs():
    optimizer, target = make_optimizer("lbfgs", blurred, memory=4), formula_image(12, 16)
    state = advance(optimizer, start(optimizer, target, jnp.zeros(SHAPE)), 0, target)
    state = state._replace(memory=lbfgs(memory=4, bands=False).init(state.variable))
    search, _ = lbfgs(memory=4, bands=False).begin(state)
    plain = optax.scale_by_lbfgs(4)
    expected, _ = plain.update(state.grad, plain.init(state.variable), state.variable)
    np.testing.assert_array_equal(search.direction, -expected)


@pytest.mark.parametrize("memory", [1, 4])
def test_a_step_that_curves_the_wrong_way_is_not_remembered(memory):
    transformation = scale_by_banded_lbfgs(memory)
    update = jax.jit(transformation.update)
    x, g = formula_image(12, 16), formula_image(12, 16, 1.0)
    state = transformation.init(x)
    for _ in range(3):  # the gradient grows along the steps: s . y < 0
        direction, state = update(g, state, x)
        x, g = x - direction, 1.1 * g
    np.testing.assert_array_equal(state.history.inverse, 0)
    np.testing.assert_array_equal(state.energies, 0)
    assert float(jnp.vdot(direction, g)) > 0


def test_lanes_take_the_steps_of_single_runs():
    optimizer = make_optimizer("lbfgs", blurred, memory=5, bands=True)
    lanes = Lanes(optimizer, 2, jax.devices()[:1])
    targets = jnp.stack([formula_image(12, 16, phase) for phase in (0.0, 1.0)])
    starts = jnp.zeros_like(targets)
    together = lanes.start(None, targets, starts, jnp.ones(2))
    together = lanes.advance(None, targets, together, jnp.int32(8), MANY, jnp.zeros((), bool)).state
    for i, (target, image) in enumerate(zip(targets, starts, strict=True)):
        single = descend(optimizer, 8, target, image)
        assert int(together.evaluations[i]) == int(single.evaluations)
        np.testing.assert_allclose(together.variable[i], single.variable, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("size", [(16, 16), (16, 330), (23, 17), (341, 512)])
def test_bands_begin_where_the_frequency_passes_their_octave(size):
    height, width = size
    frequency = np.hypot(np.arange(height)[:, None] / height, np.arange(width) / width) * max(size)
    octaves = np.log2(np.maximum(frequency, 0.5))
    expected = np.maximum(np.floor(octaves / OCTAVES_PER_BAND) + 1, 0)
    began = np.arange(width) >= first_columns(height, width)[1:, :, np.newaxis]
    np.testing.assert_array_equal(began.sum(0), expected)
