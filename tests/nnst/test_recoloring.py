"""The colour step of NNST: OkLab, the distribution of hues, and what stays of the result."""

import numpy as np
import pytest

from nst_jax.images.oklab import from_oklab, to_oklab
from nst_jax.nnst import recoloring
from tests.conftest import formula_image

RANDOM = np.random.default_rng(0)


def test_oklab_has_its_published_values_and_an_inverse():
    """Table of pairs of the author: XYZ (0.95, 1, 1.089) is white; gray has no hue; red, green, blue."""
    primaries = to_oklab(np.eye(3))
    expected = [[0.628, 0.225, 0.126], [0.866, -0.234, 0.179], [0.452, -0.032, -0.312]]
    np.testing.assert_allclose(primaries, expected, atol=1e-3)
    np.testing.assert_allclose(to_oklab(np.full(3, 0.125)), [0.5, 0, 0], atol=1e-6)
    colors = RANDOM.random((50, 3))
    np.testing.assert_allclose(from_oklab(to_oklab(colors)), colors, atol=1e-9)


def test_hues_get_the_mean_and_covariance_of_the_target():
    mixing = np.array([[1.0, 0.3], [-0.2, 0.5]])
    hues = RANDOM.standard_normal((20, 30, 2)) @ mixing * 3 + 2
    target = RANDOM.standard_normal((500, 2)) @ mixing.T - 1
    mapped = recoloring.with_covariance(hues, target).reshape(-1, 2)
    np.testing.assert_allclose(mapped.mean(0), target.mean(0), atol=1e-9)
    np.testing.assert_allclose(np.cov(mapped.T), np.cov(target.T), rtol=0.01, atol=1e-3)


def test_smoothing_keeps_edges_of_lightness():
    hues = np.zeros((8, 8, 2))
    hues[:, 4:] = 1.0
    flat, edge = (
        np.full((8, 8, 1), 0.5),
        np.where(np.arange(8) < 4, 0.0, 1.0)[None, :, None] + 0 * hues[..., :1],
    )
    np.testing.assert_allclose(recoloring.smoothed(np.full((5, 5, 2), 0.3), flat[:5, :5]), 0.3)
    assert recoloring.smoothed(hues, edge)[:, 3].max() < 0.01
    assert 0.2 < recoloring.smoothed(hues, flat)[:, 3].min() < 0.5


@pytest.mark.parametrize("colorful", [True, False])
def test_the_result_keeps_its_lightness_and_gets_the_palette(colorful):
    result, content = (np.asarray(formula_image(24, 32, phase)) for phase in (0.0, 1.0))
    style = 0.2 + 0.6 * np.asarray(formula_image(40, 40, 2.0))
    if not colorful:
        style = np.repeat(style[..., :1], 3, axis=-1) * np.float32([1.0, 0.99, 0.97])
    picture = recoloring.recolored(result, content, [style])
    assert picture.shape == result.shape
    assert picture.min() >= 0
    assert picture.max() <= 1
    ours, theirs, before = (to_oklab(one.reshape(-1, 3).astype(float)) for one in (picture, style, result))
    np.testing.assert_allclose(ours[:, 1:].mean(0), theirs[:, 1:].mean(0), atol=0.03)
    inside = np.all((picture.reshape(-1, 3) > 0) & (picture.reshape(-1, 3) < 1), axis=1)
    clipped = np.clip(before[:, 0], theirs[:, 0].min(), theirs[:, 0].max())
    if colorful:
        np.testing.assert_allclose(ours[inside, 0], clipped[inside], atol=1e-3)
    assert np.corrcoef(ours[:, 0], before[:, 0])[0, 1] > 0.9


@pytest.mark.parametrize("tint", [(1.0, 1.0, 1.0), (1.0, 0.99, 0.97), (0.97, 1.0, 1.0)])
def test_a_nearly_gray_style_sets_the_lightness_too(tint):
    """As in the released code: L, A and B are mapped together, and clipped to their ranges in the style."""
    result, content = (np.asarray(formula_image(24, 32, phase)) for phase in (0.0, 1.0))
    style = np.float32(0.35 + 0.3 * np.asarray(formula_image(40, 40, 2.0))[..., :1] * tint)
    o, s = (to_oklab(picture.reshape(-1, 3).astype(float)) for picture in (result, style))
    clipped = np.concatenate([np.clip(o[:, :1], s[:, 0].min(), s[:, 0].max()), o[:, 1:]], axis=1)
    roots = []
    for colors, power in ((clipped, -0.5), (s, 0.5)):
        U, spread, _ = np.linalg.svd(np.cov(colors.T, bias=True) + 1e-4 * np.eye(3))
        roots.append(U * spread**power @ U.T)
    mapped = (clipped - clipped.mean(0)) @ roots[0] @ roots[1] + s.mean(0)
    expected = np.clip(from_oklab(np.clip(mapped, s.min(0), s.max(0))), 0, 1)
    picture = recoloring.recolored(result, content, [style]).reshape(-1, 3)
    np.testing.assert_allclose(picture, expected, atol=1e-6)
    lightness = to_oklab(picture.astype(float))[:, 0]
    assert lightness.mean() == pytest.approx(s[:, 0].mean(), abs=0.01)
    assert lightness.std() == pytest.approx(s[:, 0].std(), rel=0.1)
