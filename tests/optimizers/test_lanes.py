"""Lanes: each takes the steps that a single run takes, whatever the other lanes do."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nst_jax.optimizers.lanes import Lanes, freeze
from nst_jax.optimizers.methods import METHODS
from nst_jax.optimizers.state import RUNNING
from tests.descents import MANY, SHAPE, make_optimizer

TARGETS = jnp.asarray(np.random.default_rng(0).uniform(size=(5, *SHAPE)), jnp.float32)
CURVATURES = jnp.stack([jnp.geomspace(1, top, 60).reshape(SHAPE) for top in (2, 30, 300, 50, 5)])
DATA = (TARGETS, CURVATURES)
STARTS = jnp.zeros_like(TARGETS)
NO = jnp.zeros((), bool)


def bumpy(shared, data, image):
    """A bowl with ripples, in which line searches take one to many evaluations."""
    target, curvature = data
    return 0.5 * jnp.sum(curvature * (image - target) ** 2) + 0.3 * jnp.sum(jnp.cos(9 * image))


def five_lanes(name, rate=1e-3):
    lanes = Lanes(make_optimizer(name, bumpy), 5, jax.devices()[:1])
    return lanes, lanes.start(None, DATA, STARTS, jnp.full(5, rate))


@pytest.mark.parametrize("name", METHODS)
def test_each_lane_is_the_single_run(name):
    lanes, running = five_lanes(name)
    state = lanes.advance(None, DATA, running, jnp.int32(12), MANY, NO).state
    optimizer = lanes.optimizer
    singles = [
        optimizer.advance(
            None, data, optimizer.start(None, data, image, jnp.float32(1e-3)), jnp.int32(12), MANY
        )
        for data, image in zip(zip(*DATA, strict=True), STARTS, strict=True)
    ]
    for i, single in enumerate(singles):
        assert int(state.step[i]) == int(single.step)
        assert int(state.evaluations[i]) == int(single.evaluations)
        assert int(state.status[i]) == int(single.status)
        np.testing.assert_allclose(state.variable[i], single.variable, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(state.best_variable[i], single.best_variable, rtol=1e-4, atol=1e-5)
    if name == "lbfgs":
        counts = [int(single.evaluations) for single in singles]
        assert len(set(counts)) > 1, "the lanes' searches differ in length"
        assert max(counts) > 14, "some searches take several evaluations"


def test_a_lane_alone_is_the_single_run_bit_for_bit():
    optimizer = make_optimizer("lbfgs", bumpy)
    lanes = Lanes(optimizer, 1, jax.devices()[:1])
    data, rate = jax.tree.map(lambda leaf: leaf[:1], DATA), jnp.ones(1)
    running = lanes.start(None, data, STARTS[:1], rate)
    alone = lanes.advance(None, data, running, jnp.int32(12), MANY, NO).state
    mine = jax.tree.map(lambda leaf: leaf[0], data)
    state = optimizer.start(None, mine, STARTS[0], jnp.float32(1))
    single = optimizer.advance(None, mine, state, jnp.int32(12), MANY)
    for a, b in zip(jax.tree.leaves(alone), jax.tree.leaves(single), strict=True):
        np.testing.assert_array_equal(a[0], b)


def test_cutting_into_chunks_of_evaluations_changes_no_bit():
    lanes, running = five_lanes("lbfgs")
    whole = lanes.advance(None, DATA, running, jnp.int32(9), MANY, NO)
    pieces = lanes.start(None, DATA, STARTS, jnp.full(5, 1e-3))
    while bool(((pieces.state.step < 9) & (pieces.state.status == RUNNING)).any()):
        pieces = lanes.advance(None, DATA, pieces, jnp.int32(9), jnp.int32(2), NO)
    for a, b in zip(jax.tree.leaves(whole), jax.tree.leaves(pieces), strict=True):
        np.testing.assert_array_equal(a, b)
    assert lanes.advance.count == 1


def test_a_settled_lane_goes_on_from_its_state_alone():
    """What a checkpoint holds: after settling, the search under way no longer matters."""
    lanes, running = five_lanes("lbfgs")
    whole = lanes.advance(None, DATA, running, jnp.int32(9), MANY, NO).state
    pieces = lanes.start(None, DATA, STARTS, jnp.full(5, 1e-3))
    for _ in range(2):  # then some lanes are in the middle of a search
        pieces = lanes.advance(None, DATA, pieces, jnp.int32(9), jnp.int32(1), NO)
    assert bool(pieces.searching.any())
    pieces = lanes.advance(None, DATA, pieces, jnp.int32(9), jnp.int32(0), ~NO)
    assert not bool(pieces.searching.any())
    leaves, structure = jax.tree.flatten(pieces.state)
    states = {i: jax.tree.unflatten(structure, [np.asarray(leaf)[i] for leaf in leaves]) for i in range(5)}
    resumed = lanes.put(lanes.start(None, DATA, STARTS, jnp.full(5, 1e-3)), states)
    resumed = lanes.advance(None, DATA, resumed, jnp.int32(9), MANY, NO).state
    for a, b in zip(jax.tree.leaves(whole), jax.tree.leaves(resumed), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_frozen_lane_takes_no_step():
    lanes, running = five_lanes("adam", rate=0.1)
    frozen = freeze(running, np.arange(5) == 3)
    steps = lanes.advance(None, DATA, frozen, jnp.int32(4), MANY, NO).state.step
    np.testing.assert_array_equal(steps, [4, 4, 4, 0, 4])
