"""The neutral score: shares of the content's own distance to the style."""

import numpy as np
import pytest

from nst_jax import images
from nst_jax.networks.vgg import VGG
from nst_jax.sweeps import neutral
from tests.conftest import formula_weights

CONTENT, STYLE = (images.fit(images.read(f"sample:{name}"), 300) for name in ("coffee", "sunset"))


@pytest.fixture(scope="module")
def network():
    return VGG(formula_weights())


def test_the_content_scores_one_and_the_style_zero(network):
    shares = neutral.style_shares(network, CONTENT, CONTENT, STYLE)
    assert shares == {"gram": 1.0, "sliced": 1.0, "palette": 1.0}
    shares = neutral.style_shares(network, STYLE, CONTENT, STYLE)
    assert all(value == pytest.approx(0, abs=1e-6) for value in shares.values())


def test_a_mixture_lies_between_and_the_palette_sees_only_colours(network):
    between = images.resize(STYLE, *CONTENT.shape[1:3])
    between[:, ::2] = CONTENT[:, ::2]
    between = np.concatenate([between[:, 1::2], between[:, ::2]], axis=1)  # half of either
    assert all(0 < value < 1 for value in neutral.style_shares(network, between, CONTENT, STYLE).values())
    rng = np.random.default_rng(0)
    small = images.fit(STYLE, neutral.SIZE)
    shuffled = rng.permutation(small.reshape(-1, 3)).reshape(small.shape)
    shares = neutral.style_shares(network, shuffled, CONTENT, STYLE)
    assert shares["palette"] == pytest.approx(0, abs=1e-6)
    assert shares["gram"] > 1e-3


F, S = (np.float32(np.random.default_rng(shift).normal(size=(50, 6)) + shift) for shift in (0, 1))


def sliced_wasserstein(F, S):
    theirs = neutral.resampled(neutral.ranked(S), len(F))
    return float(np.mean(np.square(neutral.ranked(F) - theirs)))


def test_sliced_wasserstein_of_shifted_sets_is_the_shift_along_each_direction():
    # Directions are isotropic: the mean square of a shift's projection is its squared length over n.
    shift = np.full((1, 6), 0.5, np.float32)
    expected = float(np.sum(shift**2)) / 6
    assert sliced_wasserstein(F + shift, F) == pytest.approx(expected, rel=0.15)


def test_sliced_wasserstein_is_blind_to_the_order_of_positions_and_zero_for_the_same_distribution():
    assert sliced_wasserstein(F, F[::-1]) == 0
    assert sliced_wasserstein(F, S) == pytest.approx(sliced_wasserstein(S[::-1], F[::-1]))
    assert sliced_wasserstein(np.repeat(F, 2, axis=0), F) < 3e-3 * sliced_wasserstein(F, S)


def test_sliced_wasserstein_tells_apart_what_a_gram_matrix_cannot():
    signs = np.float32([[1.0], [-1.0]] * 20)  # mean 0, mean square 1
    ones = np.ones((40, 1), np.float32)  # mean 1, mean square 1
    np.testing.assert_allclose(signs.T @ signs, ones.T @ ones)
    # Along +1 and along -1 alike, half of the ranks differ by 2.
    assert sliced_wasserstein(signs, ones) == pytest.approx(2.0)


@pytest.mark.parametrize("count", [1, 7, 50, 123])
def test_quantiles_are_interpolated(count):
    ranked = np.sort(np.random.default_rng(0).normal(size=(2, 50)), axis=1)
    levels = (np.arange(count) + 0.5) / count
    expected = np.quantile(ranked, levels, axis=1, method="hazen").T
    np.testing.assert_allclose(neutral.resampled(ranked, count), expected, rtol=1e-6, atol=1e-6)


def test_content_distance_is_relative(network):
    assert neutral.content_distance(network, CONTENT, CONTENT) == 0
    assert neutral.content_distance(network, np.zeros_like(CONTENT), CONTENT) > 0.1
