"""The Laplacian loss against SciPy's convolution."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy import ndimage

from nst_jax.losses.terms.laplacian import laplacian_loss, outlines
from tests.conftest import formula_image

KERNEL = np.array([[0, -1, 0], [-1, 4, -1], [0, -1, 0]], np.float64)


def pooled(image):
    height, width = (side // 4 * 4 for side in image.shape[1:3])
    rows = np.asarray(image, np.float64)[0, :height, :width].reshape(height // 4, 4, width // 4, 4, 3)
    return 255 * rows.mean((1, 3))


@pytest.mark.parametrize("wrap", [False, True])
def test_outlines_are_the_laplacian_of_the_averages_of_4_by_4_pixels(wrap):
    image = formula_image(38, 45)
    expected = sum(ndimage.convolve(pooled(image)[..., color], KERNEL, mode="wrap") for color in range(3))
    expected = expected if wrap else expected[1:-1, 1:-1]
    np.testing.assert_allclose(outlines(image, wrap)[0], expected, atol=2e-3)


def test_the_loss_is_a_mean_square_and_a_gradient_of_brightness_costs_nothing():
    image = formula_image(32, 32)
    target = jnp.zeros_like(outlines(image))
    expected = np.mean(np.square(np.asarray(outlines(image))))
    assert float(laplacian_loss(outlines(image), target)) == pytest.approx(float(expected), rel=1e-5)
    ramp = jnp.broadcast_to(jnp.linspace(0, 1, 32)[None, None, :, None], (1, 32, 32, 3))
    assert float(laplacian_loss(outlines(ramp), target)) < 1e-5
