"""The search of `mrf` is over every patch of every style, whatever the size of the result."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nst_jax.losses import mrf
from nst_jax.losses.style import STYLE_LOSSES, fitted_targets, target_shapes

LOSS = STYLE_LOSSES["mrf"]


def layer(height, width, seed):
    values = np.random.default_rng(seed).normal(size=(1, height, width, 4))
    return jnp.asarray(np.maximum(values, 0), jnp.float32)


def target(styles, size, guides=None):
    found = [
        LOSS.statistic(S, S[0, ..., 0].size, guide)
        for S, guide in zip(styles, guides or [None] * len(styles), strict=True)
    ]
    return fitted_targets({"mrf": LOSS.blend(found, [1 / len(styles)] * len(styles))}, *size)["mrf"]


def distance(F, goal):
    return float(LOSS.distance(LOSS.statistic(F, F[0, ..., 0].size, None), goal))


def rows(F):
    """All patches of a layer at a stride of 2, cut out one by one."""
    height, width = F.shape[1:3]
    return np.stack(
        [
            np.asarray(F[0, y : y + 3, x : x + 3], np.float64).ravel()
            for y in range(0, height - 2, 2)
            for x in range(0, width - 2, 2)
        ]
    )


def brute_force(F, *styles):
    found, kept = rows(F), np.concatenate([rows(S) for S in styles])
    lengths = np.linalg.norm(kept, axis=1)
    return np.mean([np.mean((row - kept[np.argmax(kept @ row / lengths)]) ** 2) for row in found])


@pytest.mark.parametrize("result", [(5, 4), (9, 16), (30, 21)])
def test_the_distance_is_that_of_a_search_of_all_patches(result):
    F, styles = layer(*result, 0), (layer(24, 31, 1), layer(17, 12, 2))
    for pool in (styles[:1], styles):
        assert distance(F, target(pool, result)) == pytest.approx(brute_force(F, *pool), rel=1e-5)


@pytest.mark.parametrize("result", [(5, 4), (9, 16)])
def test_a_result_among_the_styles_is_at_no_distance(result):
    """Also if a part of a larger style is the result, and however many styles there are beside it."""
    F = layer(*result, 0)
    whole = layer(40, 44, 1).at[:, 20 : 20 + result[0], 12 : 12 + result[1]].set(F)
    for pool in (
        (F, layer(50, 60, 2)),
        (layer(50, 60, 2), layer(9, 9, 3), F),
        (whole,),
        (layer(8, 9, 4), whole),
    ):
        assert distance(F, target(pool, result)) < 1e-10


def test_patches_without_weight_are_never_found():
    F = layer(9, 8, 0)
    T = jnp.ones((1, 9, 8, 1)).at[:, :, :4].set(0)
    right = layer(9, 8, 1).at[:, :, :4].set(F[:, :, :4])
    assert distance(F, target([right], (9, 8), [T])) == pytest.approx(
        brute_force(F, right[:, :, 4:]), rel=1e-5
    )
    alone = target([right, layer(20, 20, 2)], (9, 8), [T, jnp.zeros((1, 20, 20, 1))])
    assert distance(F, alone) == pytest.approx(brute_force(F, right[:, :, 4:]), rel=1e-5)


def test_repeated_rows_change_nothing():
    F, goal = layer(9, 8, 0), target([layer(12, 15, 1)], (9, 8))
    more = jnp.resize(goal, (len(goal) + 17, goal.shape[1]))
    values = [
        jax.value_and_grad(lambda F, goal: LOSS.distance(LOSS.statistic(F, 72, None), goal))(F, each)
        for each in (goal, more)
    ]
    jax.tree.map(np.testing.assert_array_equal, *values)


def test_the_shapes_of_targets_are_known_before_the_style_is():
    sizes = ((24, 31), (17, 12))
    goal = target([layer(*size, 1) for size in sizes], (9, 8))
    assert target_shapes(["mrf"], sizes, 4, 9, 8)["mrf"].shape == goal.shape == (11 * 15 + 8 * 5, 36)
    assert sum(mrf.patch_count(*size) for size in sizes) == len(goal)


def test_beyond_the_bound_patches_are_thinned_out_by_share(monkeypatch):
    monkeypatch.setattr(mrf, "MOST_PATCHES", 100)
    zeros, ones = (LOSS.statistic(jnp.full((1, 21, 25, 2), value), 525, None) for value in (0.0, 1.0))
    assert LOSS.fit(zeros, 9, 8).shape == (100, 18)
    chosen = LOSS.fit(LOSS.blend([zeros, ones], [0.2, 0.8]), 9, 8)
    assert chosen.shape == (100, 18)
    assert float(chosen.mean()) == pytest.approx(0.8)
