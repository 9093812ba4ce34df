"""Padding of activations: against NumPy, and pictures without a seam."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nst_jax.config import from_dict
from nst_jax.methods.gatys import Session
from nst_jax.networks.padding import MODES, pad
from nst_jax.networks.vgg import VGG
from nst_jax.runs.folder import RunFolder
from nst_jax.transfer.painting import paint
from nst_jax.transfer.preparing import prepare
from tests.conftest import formula_image, formula_weights
from tests.losses.objectives import total

LAYERS = ("conv1_1", "conv2_2", "pool2", "conv3_1", "conv5_1")


@pytest.mark.parametrize("mode", MODES)
def test_a_network_that_pads_is_one_whose_input_was_padded(mode):
    """The first convolution of a picture with a border around it, without its own zeros."""
    network, image = VGG(formula_weights(), padding=mode), formula_image(12, 17)
    found = network(image, ("conv1_1",))["conv1_1"]
    plain = VGG(formula_weights())(image, ("conv1_1",))["conv1_1"]
    np.testing.assert_allclose(found[:, 1:-1, 1:-1], plain[:, 1:-1, 1:-1], atol=1e-4)
    bordered = jnp.pad(image, ((0, 0), (1, 1), (1, 1), (0, 0)), mode=MODES[mode])
    expected = VGG(formula_weights())(bordered, ("conv1_1",))["conv1_1"][:, 1:-1, 1:-1]
    np.testing.assert_allclose(found, expected, atol=1e-3)
    np.testing.assert_array_equal(pad(image, mode)[0, :, 1:-1][0], bordered[0, 0, 1:-1])


@pytest.mark.parametrize("pool", ["avg", "max"])
def test_rolling_a_periodic_picture_rolls_its_activations(pool):
    network, image = VGG(formula_weights(), pool, padding="circular"), formula_image(48, 64)
    found = network(jnp.roll(image, (16, 32), (1, 2)), LAYERS)
    for layer, F in network(image, LAYERS).items():
        step = 48 // F.shape[1]
        expected = np.roll(F, (16 // step, 32 // step), (1, 2))
        np.testing.assert_allclose(found[layer], expected, atol=1e-5 * np.abs(F).max(), err_msg=layer)


def test_rolling_a_picture_by_16_pixels_changes_the_loss_by_rounding_only(tiny_weights):
    job = prepare(from_dict(texture(tiny_weights) | {"tv_weight": 10.0}))
    session = Session([job])
    J = session.objective(job, 1.0)
    value = jax.jit(total)
    image = formula_image(*job.size_at(1.0))
    expected = float(value(job.network, J, image))
    for shift in ((16, 0), (0, 16), (32, 16)):
        rolled = jnp.roll(image, shift, (1, 2))
        assert float(value(job.network, J, rolled)) == pytest.approx(expected, rel=1e-5)
    assert float(value(job.network, J, jnp.roll(image, 5, 1))) != pytest.approx(expected, rel=1e-5)


@pytest.mark.slow
def test_a_seamless_texture_is_as_smooth_across_its_border_as_within(tiny_weights, tmp_path):
    job = prepare(from_dict(texture(tiny_weights)))
    assert job.size_at(1.0) == (64, 96), "sides of 67 and 100 pixels, rounded to what four poolings leave"
    (outcome,) = paint(Session([job]), [job], [RunFolder(tmp_path, job.config)], lambda look: True)
    for axis in (1, 2):
        steps = np.abs(outcome.image - np.roll(outcome.image, 1, axis))
        means = steps.mean(tuple({0, 1, 2, 3} - {axis}))
        assert means[1:].min() <= means[0] <= means[1:].max()


def texture(weights):
    return {
        "content": "sample:coffee",
        "style": "sample:ink_wash",
        "size": 100,
        "content_weight": 0.0,
        "network": {"arch": "slim", "weights": str(weights), "padding": "circular"},
        "optimizer": {"steps": 30},
    }
