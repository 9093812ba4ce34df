"""Colour control: moments against their definition, chroma that survives, maps with their own properties."""

import numpy as np
import pytest

from nst_jax import images
from nst_jax.images import color
from nst_jax.images.oklab import to_oklab
from nst_jax.images.srgb import srgb_decoded, srgb_encoded
from tests.seams.jobs import run, settings

CONTENT, STYLE = (images.fit(images.read(f"sample:{name}"), 64) for name in ("coffee", "chelsea"))


def moments(picture):
    colors = picture.reshape(-1, 3).astype(np.float64)
    return colors.mean(0), np.cov(colors.T, bias=True)


@pytest.mark.parametrize("how", color.MATCHES)
def test_matched_colours_have_the_mean_and_covariance_of_the_target(how, monkeypatch):
    monkeypatch.setattr(color.np, "clip", lambda values, low, high: values)
    monkeypatch.setattr(color, "EPSILON", 0.0)
    (mean, covariance), (expected_mean, expected) = (
        moments(color.match_colors(STYLE, CONTENT, how)),
        moments(CONTENT),
    )
    np.testing.assert_allclose(mean, expected_mean, atol=1e-5)
    np.testing.assert_allclose(covariance, expected, atol=1e-5)


@pytest.mark.parametrize("how", color.MATCHES)
def test_equal_pictures_are_left_alone(how):
    np.testing.assert_allclose(color.match_colors(CONTENT, CONTENT, how), CONTENT, atol=1e-6)


def test_only_cholesky_depends_on_the_order_of_the_channels():
    for how in color.MATCHES:
        swapped = color.match_colors(STYLE[..., ::-1], CONTENT[..., ::-1], how)[..., ::-1]
        same = np.allclose(swapped, color.match_colors(STYLE, CONTENT, how), atol=1e-4)
        assert same == (how != "chol"), how


def test_the_symmetric_map_is_symmetric_and_positive():
    source, target = (moments(picture)[1] for picture in (STYLE, CONTENT))
    transform = color.MATCHES["sym"](source, target)
    np.testing.assert_allclose(transform, transform.T, atol=1e-9)
    assert np.linalg.eigvalsh(transform).min() > 0


@pytest.mark.parametrize("how", color.MATCHES)
def test_a_picture_of_one_colour_takes_the_targets_mean(how):
    flat = np.full((1, 8, 8, 3), 0.25, np.float32)
    np.testing.assert_allclose(
        color.match_colors(flat, CONTENT, how)[0, 0, 0], moments(CONTENT)[0], atol=1e-6
    )
    assert np.isfinite(color.match_colors(CONTENT, flat, how)).all()


def test_luminance_is_gray_and_its_moments_can_be_matched():
    gray = color.luminance(STYLE)
    np.testing.assert_allclose(gray[..., 0], STYLE @ np.float32([0.299, 0.587, 0.114]), rtol=1e-6)
    assert np.ptp(gray, axis=-1).max() == 0
    matched = color.match_moments(gray, color.luminance(CONTENT))
    expected = color.luminance(CONTENT)
    # A few pixels are clipped.
    assert matched.mean() == pytest.approx(expected.mean(), abs=0.02)
    assert matched.std() == pytest.approx(expected.std(), abs=0.02)
    assert np.isfinite(color.match_moments(np.full_like(gray, 0.5), gray)).all()


def test_chroma_survives_any_luminance_that_leaves_the_colour_in_the_cube():
    rng = np.random.default_rng(0)
    for luminance in (rng.uniform(-0.5, 1.5, CONTENT.shape), np.zeros(CONTENT.shape), np.ones(CONTENT.shape)):
        result = color.with_chroma(luminance.astype(np.float32), CONTENT)
        assert result.min() >= 0
        assert result.max() <= 1
        gray = luminance.mean(-1, keepdims=True) - CONTENT @ color.LUMA[:, np.newaxis]
        fits = np.all((gray + CONTENT > 0) & (gray + CONTENT < 1), axis=-1)
        change = (np.float64(result) - CONTENT) @ color.RGB_TO_YUV[1:].T
        assert np.abs(change[fits]).max(initial=0) < 1 / 255 / 10
        wanted = np.clip(luminance.mean(-1), 0, 1)
        np.testing.assert_allclose(result @ color.LUMA, wanted, atol=0.5 / 255)
    np.testing.assert_allclose(color.with_chroma(color.luminance(CONTENT), CONTENT), CONTENT, atol=1e-6)


@pytest.mark.parametrize("saturated", [(0, 0, 1), (1, 0, 0), (1, 1, 0), (0, 1, 1), (0.1, 0.9, 0.2)])
def test_saturated_colours_take_any_luminance_in_their_hue(saturated):
    levels = np.linspace(0, 1, 21, dtype=np.float32)[None, None, :, None].repeat(3, -1)
    result = color.with_chroma(levels, np.broadcast_to(np.float32(saturated), levels.shape))
    np.testing.assert_allclose(result @ color.LUMA, levels[..., 0], atol=0.5 / 255)
    _, a, b = np.moveaxis(to_oklab(srgb_decoded(result[0, 0].astype(np.float64))), -1, 0)
    _, *hue = to_oklab(srgb_decoded(np.array(saturated, np.float64)))
    colored = np.hypot(a, b) > 0.03
    turned = np.angle((a + 1j * b) / complex(*hue))[colored]
    assert colored.sum() >= 15
    assert np.degrees(np.abs(turned)).max() < 5


def test_linear_light_goes_both_ways():
    encoded = np.linspace(0, 1, 257)[:, None].repeat(3, 1)
    np.testing.assert_allclose(srgb_encoded(srgb_decoded(encoded)), encoded, atol=1e-7)
    assert srgb_decoded(np.full((1, 3), 0.5))[0, 0] == pytest.approx(0.2140411, rel=1e-6)


def test_a_result_keeps_the_chroma_of_the_content(tiny_weights, tmp_path):
    run(settings(tiny_weights, style="sample:sunset", color="luminance"), tmp_path / "run")
    result = images.read(str(tmp_path / "run" / "result.png"))
    content = images.resize(images.read("sample:coffee"), *result.shape[1:3])
    # 0.492 (B - Y) and 0.877 (R - Y): differences of channels, which adding a gray leaves alone.
    fits = np.all((result > 0) & (result < 1), axis=-1)
    assert fits.mean() > 0.5
    for a, b in ((0, 1), (2, 1)):
        found, expected = result[..., a] - result[..., b], content[..., a] - content[..., b]
        assert np.abs(found - expected)[fits].max() <= 1 / 255 + 1e-6
    assert np.abs(result - content).max() > 0.05
