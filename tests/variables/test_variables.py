"""Pixels, pyramids and spectra: each stands for a picture, and what its entries mean."""

import jax.numpy as jnp
import numpy as np
import pytest

from nst_jax.errors import UserError
from nst_jax.variables.fourier import decorrelated, fourier, hartley
from nst_jax.variables.phase import natural_magnitude, phase
from nst_jax.variables.pixels import PIXELS
from nst_jax.variables.pyramid import (
    PYRAMID,
    bilinear,
    finest_detail,
    from_pyramid,
    level_sizes,
    to_pyramid,
)
from nst_jax.variables.variable import Canvas, Kept
from tests.conftest import formula_image


@pytest.mark.parametrize("variable", [PIXELS, PYRAMID, fourier(), fourier(3.0, 1.0)])
def test_a_variable_stands_for_the_picture_that_it_encodes(variable):
    picture = 0.02 + 0.9 * formula_image(21, 30)
    basis = variable.init(Canvas((21, 30)))
    array = variable.encode(basis, picture)
    assert array.shape[0] == 1
    assert array.shape[3] == 3
    np.testing.assert_allclose(variable.decode(basis, array), picture, atol=2e-4)


def test_pixels_are_gray_and_keep_the_content_where_nothing_is_free():
    content, picture = np.asarray(formula_image(6, 8)), np.asarray(formula_image(6, 8, 2.0))
    free = np.linspace(0, 1, 8, dtype=np.float32)[None, None, :, None].repeat(6, 1)
    basis = PIXELS.init(Canvas((6, 8), Kept(content, free), gray=True))
    shown = PIXELS.decode(basis, picture)
    np.testing.assert_array_equal(shown[:, :, 0], content[:, :, 0])
    np.testing.assert_allclose(shown[:, :, -1], picture.mean(-1, keepdims=True)[:, :, -1].repeat(3, -1))
    with_gray = PIXELS.decode(PIXELS.init(Canvas((6, 8), gray=True)), picture)
    np.testing.assert_allclose(shown, free * with_gray + (1 - free) * content, atol=1e-6)


@pytest.mark.parametrize("size", [(64, 64), (47, 33), (16, 5), (3, 2), (1, 1)])
def test_a_pyramid_is_the_picture_again(size):
    image = formula_image(*size)
    levels = to_pyramid(image)
    pixels = sum(height * width for height, width in level_sizes(*size))
    assert levels.shape == (1, 1, pixels, 3)
    np.testing.assert_allclose(from_pyramid(levels, *size), image, atol=1e-6)


def test_levels_halve_down_to_two_pixels_and_are_eight_at_most():
    assert level_sizes(64, 40) == ((64, 40), (32, 20), (16, 10), (8, 5), (4, 2), (2, 1))
    assert level_sizes(1024, 1024)[-1] == (4, 4)


def test_halving_an_even_picture_averages_two_by_two_and_a_flat_one_has_no_detail():
    image = formula_image(12, 8)
    means = np.asarray(image).reshape(1, 6, 2, 4, 2, 3).mean((2, 4))
    np.testing.assert_allclose(bilinear(image, 6, 4), means, atol=1e-6)
    np.testing.assert_allclose(finest_detail(jnp.full((1, 9, 7, 3), 0.3)), 0, atol=1e-6)


def test_hartley_is_the_sum_of_cosines_and_sines_and_its_own_inverse():
    x = formula_image(5, 6)
    rows, columns = np.outer(np.arange(5), np.arange(5)) / 5, np.outer(np.arange(6), np.arange(6)) / 6
    phase = 2 * np.pi * (rows[:, :, None, None] + columns)  # k, y, l, x
    expected = np.einsum("kylx,byxc->bklc", np.cos(phase) + np.sin(phase), x) / np.sqrt(30)
    np.testing.assert_allclose(hartley(x), expected, atol=1e-5)
    np.testing.assert_allclose(hartley(hartley(x)), x, atol=1e-5)


@pytest.mark.parametrize("finest", [0.0, 4.0])
def test_a_frequency_is_a_wave_of_amplitude_one_over_f_but_for_fine_details(finest):
    variable, amplitudes = fourier(3.0, finest), {}
    basis = variable.init(Canvas((24, 32)))
    for k in (1, 2, 4, 8):
        spectrum = jnp.zeros((1, 24, 32, 3)).at[0, 0, k, 0].set(0.01)
        shown = np.asarray(variable.decode(basis, spectrum))[0, :, :, 0]
        wave = np.abs(np.fft.rfft(np.log(shown / (1 - shown))[0]))
        assert wave.argmax() == k
        amplitudes[k] = k * wave[k] * np.exp((finest * k / 32) ** 2)
    np.testing.assert_allclose([*amplitudes.values()], amplitudes[8], rtol=0.02)


def photographs(height, width):
    return [formula_image(height, width, seed)[0] for seed in (1.0, 2.0)]


def random_phases(height, width):
    return np.random.default_rng(0).normal(1.0, 2.0, (1, height, width // 2 + 1, 3)).astype(np.float32)


def test_pictures_of_phases_have_the_magnitudes_of_photographs():
    magnitude = natural_magnitude(photographs(20, 26))
    first, second = (np.abs(np.fft.rfft2(decorrelated(p), axes=(0, 1))) for p in photographs(20, 26))
    np.testing.assert_allclose(magnitude, (first + second) / 2, rtol=1e-4)
    variable = phase(magnitude)
    shown = variable.decode(variable.init(Canvas((20, 26))), random_phases(20, 26))
    found = np.abs(np.fft.rfft2(decorrelated(shown)[0], axes=(0, 1)))[:, 1:-1]
    ratios = found / magnitude[:, 1:-1]  # the first and last column of a real spectrum are not free
    np.testing.assert_allclose(ratios, np.median(ratios), rtol=2e-3)


def test_phases_are_standardized_and_encoded_as_angles():
    variable = phase(natural_magnitude(photographs(20, 27)))
    basis, phases = variable.init(Canvas((20, 27))), random_phases(20, 27)
    shown = variable.decode(basis, phases)
    np.testing.assert_allclose(variable.decode(basis, 3 * phases - 2), shown, atol=1e-5)
    angles = (phases - phases.mean()) / phases.std()
    difference = np.exp(1j * variable.encode(basis, shown)) - np.exp(1j * angles)
    np.testing.assert_allclose(difference[:, :, 1:], 0, atol=1e-3)


def test_magnitudes_of_another_size_are_refused():
    with pytest.raises(UserError, match=r"spectrum: .* are not of a 20 x 24 picture"):
        phase(natural_magnitude(photographs(20, 26))).init(Canvas((20, 24)))


def test_phases_decode_as_in_the_authors_library():
    """Horama, by the authors of MACO."""
    torch = pytest.importorskip("torch")
    maco = pytest.importorskip("horama.maco_fv", reason="horama is not installed")
    magnitude, phases = natural_magnitude(photographs(40, 32)), random_phases(40, 32)
    variable = phase(magnitude)
    shown = variable.decode(variable.init(Canvas((40, 32))), phases)
    first = (torch.tensor(array).permute(2, 0, 1) for array in (magnitude, phases[0]))
    theirs = maco.maco_preconditioner(*first, (0.0, 1.0), "cpu").permute(1, 2, 0)
    np.testing.assert_allclose(shown[0], theirs, atol=2e-4)
