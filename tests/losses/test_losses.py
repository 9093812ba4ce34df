"""The loss terms against NumPy in float64, and by their properties."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nst_jax.losses.gram import gram, gram_distance
from nst_jax.losses.terms.content import content_loss, mean_content_loss
from nst_jax.losses.terms.tv import total_variation


def features(height, width, filters, seed=0):
    return jnp.asarray(np.random.default_rng(seed).uniform(0, 50, (1, height, width, filters)).astype("f4"))


def gram64(F):
    rows = np.asarray(F, np.float64).reshape(-1, F.shape[-1])
    return rows.T @ rows / len(rows)


@pytest.mark.parametrize("shape", [(1, 1, 3), (7, 5, 4), (64, 64, 8), (65, 64, 8), (100, 90, 6)])
def test_gram_is_the_mean_outer_product(shape):
    F = features(*shape)
    np.testing.assert_allclose(jax.jit(gram)(F), gram64(F), rtol=3e-6)


def test_gram_is_blind_to_permuting_pixels():
    F = features(12, 9, 5)
    shuffled = jax.random.permutation(jax.random.key(1), F.reshape(-1, 5)).reshape(F.shape)
    np.testing.assert_allclose(gram(F), gram(shuffled), rtol=1e-6)


def test_gram_does_not_depend_on_the_picture_size():
    F = features(10, 10, 4)
    np.testing.assert_allclose(gram(F), gram(jnp.tile(F, (1, 3, 2, 1))), rtol=1e-6)


def test_gram_of_a_2048_px_picture_agrees_with_float64():
    """2048 x 1536 positions: where a single running float32 sum would be off by far more."""
    F = features(1536, 2048, 4)
    error = np.abs(np.asarray(jax.jit(gram)(F)) - gram64(F)) / np.abs(gram64(F))
    assert error.max() < 1e-5


def test_content_loss_by_hand():
    F, P = jnp.array([1.0, 5.0]).reshape(1, 1, 1, 2), jnp.array([3.0, 2.0]).reshape(1, 1, 1, 2)
    assert float(content_loss(F, P)) == 0.5 * (4 + 9)
    assert float(mean_content_loss(F, P)) == (4 + 9) / 2


def test_style_loss_is_the_paper_formula_where_sizes_agree():
    F, S = features(6, 8, 3), features(6, 8, 3, seed=1)
    n, m = 3, 48
    difference = (gram64(F) - gram64(S)) * m  # the paper's G and A are not divided by m
    expected = (difference**2).sum() / (4 * n**2 * m**2)
    assert float(gram_distance(gram(F), gram(S))) == pytest.approx(expected, rel=1e-5)


def test_total_variation_by_hand():
    image = jnp.array([[0.0, 1.0], [3.0, 1.0]]).reshape(1, 2, 2, 1)
    assert float(total_variation(image)) == (9 + 0) + (1 + 4)
    assert float(total_variation(jnp.full((1, 5, 4, 3), 0.3))) == 0
