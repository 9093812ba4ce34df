"""Lanes: each takes the steps that a single run takes, whatever the other lanes do."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nst_jax.lanes import Lanes, freeze
from nst_jax.optimize import RUNNING, Optimizer

SHAPE = (1, 4, 5, 3)
TARGETS = jnp.asarray(np.random.default_rng(0).uniform(size=(5, *SHAPE)), jnp.float32)
CURVATURES = jnp.stack([jnp.geomspace(1, top, 60).reshape(SHAPE) for top in (2, 30, 300, 50, 5)])
STARTS = jnp.zeros_like(TARGETS)
PACES = jnp.ones(5)


def bumpy(problem, image):
    """A bowl with ripples, in which line searches take one to many evaluations."""
    target, curvature = problem
    return 0.5 * jnp.sum(curvature * (image - target) ** 2) + 0.3 * jnp.sum(jnp.cos(9 * image))


def both(name, steps, learning_rate=1e-3, devices=None):
    optimizer = Optimizer(bumpy, name, learning_rate)
    lanes = Lanes(optimizer, lambda shared, own: own, devices or jax.devices()[:1])
    own = (TARGETS, CURVATURES)
    state = lanes.advance(
        None, own, lanes.start(None, own, STARTS, PACES), jnp.int32(steps), jnp.int32(10**6)
    ).state
    singles = [
        optimizer.advance((t, c), optimizer.start((t, c), s), jnp.int32(steps))
        for t, c, s in zip(TARGETS, CURVATURES, STARTS, strict=True)
    ]
    return state, singles


@pytest.mark.parametrize("name", ["lbfgs", "adam", "gd"])
def test_each_lane_is_the_single_run(name):
    state, singles = both(name, 12)
    for i, single in enumerate(singles):
        assert int(state.step[i]) == int(single.step)
        assert int(state.evaluations[i]) == int(single.evaluations)
        assert int(state.status[i]) == int(single.status)
        np.testing.assert_allclose(state.image[i], single.image, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(state.best_image[i], single.best_image, rtol=1e-4, atol=1e-5)
    if name == "lbfgs":
        counts = [int(single.evaluations) for single in singles]
        assert len(set(counts)) > 1, "the lanes' searches differ in length"
        assert max(counts) > 14, "some searches take several evaluations"


def test_cutting_into_chunks_of_evaluations_changes_no_bit():
    lanes = Lanes(Optimizer(bumpy, "lbfgs", 0.1), lambda shared, own: own, jax.devices()[:1])
    own = (TARGETS, CURVATURES)
    whole = lanes.advance(None, own, lanes.start(None, own, STARTS, PACES), jnp.int32(9), jnp.int32(1000))
    pieces = lanes.start(None, own, STARTS, PACES)
    while bool(((pieces.state.step < 9) & (pieces.state.status == RUNNING)).any()):
        pieces = lanes.advance(None, own, pieces, jnp.int32(9), jnp.int32(2))
    for a, b in zip(jax.tree.leaves(whole), jax.tree.leaves(pieces), strict=True):
        np.testing.assert_array_equal(a, b)
    assert lanes.advance._cache_size() == 1


def test_a_frozen_lane_takes_no_step():
    lanes = Lanes(Optimizer(bumpy, "adam", 0.1), lambda shared, own: own, jax.devices()[:1])
    own = (TARGETS, CURVATURES)
    frozen = freeze(lanes.start(None, own, STARTS, PACES), np.arange(5) == 3)
    steps = lanes.advance(None, own, frozen, jnp.int32(4), jnp.int32(99)).state.step
    np.testing.assert_array_equal(steps, [4, 4, 4, 0, 4])
