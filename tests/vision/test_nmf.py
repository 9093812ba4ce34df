"""Non-negative factorisation: against scikit-learn, its own conditions, and a product that is known."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import nnls

from nst_jax.vision.concepts.nmf import explained, nmf, weights_of


def mixture(positions=400, channels=24, parts=5, noise=0.3):
    """Sums of few sparse directions, and noise, rectified: like activations, half of them are 0."""
    made = np.random.default_rng(0)
    U = np.maximum(made.normal(-0.5, 1, (positions, parts)), 0)
    W = np.maximum(made.normal(-0.3, 1, (parts, channels)), 0)
    return np.maximum(U @ W + noise * made.normal(size=(positions, channels)), 0).astype(np.float32)


def error(A, U, W):
    return np.linalg.norm(A - np.asarray(U) @ np.asarray(W)) / np.linalg.norm(A)


@pytest.mark.parametrize("concepts", [2, 6])
def test_the_error_is_that_of_scikit_learn(concepts):
    decomposition = pytest.importorskip("sklearn.decomposition")
    A = mixture()
    theirs = decomposition.NMF(concepts, init="nndsvda", max_iter=2000)
    U = theirs.fit_transform(A.astype(np.float64))
    found = nmf(A, concepts)
    assert error(A, *found) < 1.005 * error(A, U, theirs.components_)


def test_a_product_is_found_again():
    made = np.random.default_rng(1)
    # Each part has positions and channels that it alone is in, so that the factors are unique.
    U, W = made.uniform(size=(200, 3)), made.uniform(size=(3, 12))
    U[:90] *= np.eye(3).repeat(30, axis=0)
    W[:, :6] *= np.eye(3).repeat(2, axis=1)
    A = (U @ W).astype(np.float32)
    found = nmf(A, 3)
    assert error(A, *found) < 0.02
    cosines = np.asarray(found.W) @ (W / np.linalg.norm(W, axis=1, keepdims=True)).T
    assert (cosines.max(axis=1) > 0.99).all()
    assert sorted(cosines.argmax(axis=1)) == [0, 1, 2]


def test_directions_have_length_one_and_come_by_their_share():
    A = jnp.asarray(mixture())
    U, W = nmf(mixture(), 5)
    assert float(U.min()) >= 0
    assert float(W.min()) >= 0
    np.testing.assert_allclose(np.linalg.norm(W, axis=1), 1, rtol=1e-5)
    shares = np.asarray(explained(A, U, W))
    assert (np.diff(shares) <= 0).all()


def test_the_same_activations_give_the_same_bits():
    A = mixture()
    np.testing.assert_array_equal(nmf(A, 5).W, nmf(A, 5).W)


def test_more_concepts_than_there_are_parts_are_no_fault():
    A = mixture(parts=2, noise=0)
    U, W = nmf(A, 6)
    assert np.isfinite(U).all()
    assert np.isfinite(W).all()
    assert error(A, U, W) < 0.02


def test_weights_of_fixed_directions_are_those_of_scipy():
    A, W = mixture(positions=60), np.asarray(nmf(mixture(), 5).W)
    U = np.asarray(weights_of(jnp.asarray(A.reshape(4, 15, -1)), jnp.asarray(W))).reshape(60, 5)
    expected = np.stack([nnls(W.T.astype(np.float64), row)[0] for row in A])
    np.testing.assert_allclose(U, expected, atol=1e-4 * expected.max())
    assert (expected == 0).any()


def test_shares_add_up_to_what_is_explained():
    A, W = jnp.asarray(mixture()), nmf(mixture(), 5).W
    U = weights_of(A, W)
    left = jnp.square(A - U @ W).sum()
    np.testing.assert_allclose(explained(A, U, W).sum(), jnp.square(A).sum() - left, rtol=1e-4)
