"""Style losses against POT (optimal transport) and pystiche (neural style transfer)."""

import collections

import jax.numpy as jnp
import numpy as np
import pytest

from nst_jax.losses.gram import gram
from nst_jax.losses.sliced import directions
from nst_jax.losses.style import STYLE_LOSSES, fitted_targets

# pystiche was written for an older torch.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


@pytest.fixture(scope="module")
def ot():
    return pytest.importorskip("ot", reason="POT is not installed")


@pytest.fixture(scope="module")
def pystiche():
    """The library imports tables of addresses that torchvision 0.13 removed; they are not used here."""
    for name in ("alexnet", "vgg"):
        module = pytest.importorskip(f"torchvision.models.{name}", exc_type=ImportError)
        if not hasattr(module, "model_urls"):
            module.model_urls = collections.defaultdict(str)
    return pytest.importorskip("pystiche", exc_type=ImportError)


def layer(height, width, filters, seed):
    values = np.random.default_rng(seed).normal(size=(1, height, width, filters)) * 20
    return jnp.asarray(np.maximum(values, 0), jnp.float32)


def distance(name, F, S):
    loss, size = STYLE_LOSSES[name], F.shape[1:3]
    found, style = (loss.statistic(X, X.shape[1] * X.shape[2], None) for X in (F, S))
    return float(loss.distance(found, fitted_targets({name: style}, *size)[name]))


def rows(F):
    return np.asarray(F, np.float64).reshape(-1, F.shape[-1])


def to_torch(F):
    import torch

    return torch.tensor(np.asarray(F, np.float64)).permute(0, 3, 1, 2)


PAIRS = [(layer(12, 10, 6, 0), layer(12, 10, 6, 1)), (layer(15, 16, 5, 2), 3 * layer(15, 16, 5, 3))]
# Of other sizes, where nothing is interpolated between ranks.
UNEQUAL = [*PAIRS, (layer(9, 14, 6, 4), layer(21, 25, 6, 5)), (layer(23, 20, 4, 6), layer(7, 9, 4, 7))]


@pytest.mark.parametrize(("F", "S"), UNEQUAL)
def test_w2_is_the_bures_wasserstein_distance_of_pot(ot, F, S):
    moments = [(rows(X).mean(0), np.cov(rows(X).T, bias=True)) for X in (F, S)]
    (mean, C), (other, D) = moments
    expected = float(ot.gaussian.bures_wasserstein_distance(mean, other, C, D)) ** 2 / len(mean)
    assert distance("w2", F, S) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(("F", "S"), PAIRS)
def test_sliced_is_the_sliced_wasserstein_distance_of_pot(ot, F, S):
    projections = np.asarray(directions(F.shape[-1]), np.float64).T
    expected = ot.sliced_wasserstein_distance(rows(F), rows(S), projections=projections, p=2) ** 2
    assert distance("sliced", F, S) == pytest.approx(float(expected), rel=1e-5)


@pytest.mark.parametrize(("F", "S"), PAIRS)
def test_histogram_is_the_wasserstein_distance_on_a_line_of_pot(ot, F, S):
    expected = np.mean(ot.wasserstein_1d(rows(F), rows(S), p=2))
    assert distance("histogram", F, S) == pytest.approx(float(expected), rel=1e-5)


@pytest.mark.parametrize(("F", "S"), UNEQUAL)
def test_gram_is_pystiches(pystiche, F, S):
    """Its loss is the mean of squares; Gatys et al. divide their sum by 4 n^2."""
    G, A = (pystiche.gram_matrix(to_torch(X), normalize=True) for X in (F, S))
    np.testing.assert_allclose(gram(F), G[0], rtol=1e-5)
    assert distance("gram", F, S) == pytest.approx(float(((G - A) ** 2).mean()) / 4, rel=1e-5)


@pytest.mark.parametrize(("F", "S"), UNEQUAL)
def test_mrf_is_pystiches(pystiche, F, S):
    found, kept = (pystiche.extract_patches2d(to_torch(X), 3, stride=2) for X in (F, S))
    expected = pystiche.loss.functional.mrf_loss(found, kept, batched_input=True)
    assert distance("mrf", F, S) == pytest.approx(float(expected), rel=1e-5)
