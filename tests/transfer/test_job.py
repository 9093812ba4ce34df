"""Jobs: where a picture begins, what its targets are, and that a whole run lowers the loss."""

import jax
import numpy as np
import pytest

from nst_jax import images
from nst_jax.config import from_dict
from nst_jax.errors import UserError
from nst_jax.losses.features.request import EVERYWHERE
from nst_jax.losses.gram import gram
from nst_jax.methods.gatys import Session
from nst_jax.networks.normalize import mean_activations
from nst_jax.networks.trained import OXFORD, TORCHVISION
from nst_jax.networks.vgg import VGG
from nst_jax.runs.folder import RunFolder
from nst_jax.transfer.painting import paint
from nst_jax.transfer.preparing import prepare
from nst_jax.weights.building import NORMALIZATION_SAMPLES, normalized
from tests.conftest import formula_weights


def job(tiny_weights, **fields):
    network = {"arch": "slim", "weights": str(tiny_weights), **fields.pop("network", {})}
    settings = {"content": "sample:coffee", "style": "sample:ink_wash", "size": 64, "network": network}
    return prepare(from_dict(settings | fields))


def alone(one, path):
    (outcome,) = paint(Session([one]), [one], [RunFolder(path, one.config)], lambda look: True)
    return outcome


def style_targets(one):
    """The Gram matrices of the style, by layer."""
    style = Session([one]).objective(one, 1.0).targets["style"].statistics
    return {layer: regions[EVERYWHERE]["gram"] for layer, regions in style.items()}


@pytest.mark.parametrize("deviation", [1 / 255, 0.1])
def test_noise_lies_about_the_networks_mean_and_belongs_to_its_seed(tiny_weights, deviation):
    noise = job(tiny_weights, noise=deviation).initial_image(1.0)
    assert noise.shape == (1, 43, 64, 3)
    # The authors' code adds noise of 1 to what the network takes: BGR, 0 to 255, minus the mean.
    grain = (255 * noise[..., ::-1] - [103.939, 116.779, 123.68]) / (255 * deviation)
    np.testing.assert_allclose(grain.mean((0, 1, 2)), 0, atol=0.08)
    np.testing.assert_allclose(grain.std((0, 1, 2)), 1, atol=0.05)
    np.testing.assert_array_equal(noise, job(tiny_weights, noise=deviation).initial_image(1.0))
    assert not np.array_equal(noise, job(tiny_weights, noise=deviation, seed=1).initial_image(1.0))


def test_the_mean_colour_is_that_of_the_training_images():
    np.testing.assert_allclose(OXFORD.mean_color(), np.array([123.68, 116.779, 103.939]) / 255, rtol=1e-6)
    np.testing.assert_allclose(TORCHVISION.mean_color(), TORCHVISION.mean, rtol=1e-6)


def test_init_names_a_picture(tiny_weights, tmp_path):
    content = images.fit(images.read("sample:coffee"), 64)
    images.write(tmp_path / "start.png", content)
    np.testing.assert_array_equal(job(tiny_weights, init="content").initial_image(1.0), content)
    from_file = job(tiny_weights, init=str(tmp_path / "start.png")).initial_image(1.0)
    np.testing.assert_allclose(from_file, content, atol=1 / 255)
    style = job(tiny_weights, init="style").initial_image(1.0)
    np.testing.assert_array_equal(style, images.resize(images.read("sample:ink_wash"), 43, 64))


def test_style_scale_is_relative_to_the_result(tiny_weights):
    scaled = job(tiny_weights, style_scale=0.5)
    style = images.fit(images.read("sample:ink_wash"), 32)
    network = VGG(formula_weights())
    F = network(jax.numpy.asarray(style), ("conv1_1",))["conv1_1"]
    expected = gram(F)
    np.testing.assert_allclose(style_targets(scaled)["conv1_1"], expected, rtol=1e-4)


def test_layers_of_weight_zero_are_not_computed(tiny_weights):
    shallow = job(tiny_weights, style_layers={"conv1_1": 1.0, "conv5_1": 0.0})
    assert style_targets(shallow).keys() == {"conv1_1"}


def test_normalized_weights_have_mean_activation_one():
    weights = normalized(formula_weights(), "avg")
    photos = [jax.numpy.asarray(images.fit(images.read(name), 256)) for name in NORMALIZATION_SAMPLES]
    for layer, means in mean_activations(VGG(weights), photos).items():
        np.testing.assert_allclose(means[means > 0], 1, rtol=1e-3, err_msg=layer)


def test_a_picture_too_narrow_for_the_layers_is_refused(tiny_weights):
    with pytest.raises(UserError, match=r"size: 20 leaves a shorter side of 13 pixels; conv5_1 needs 16"):
        job(tiny_weights, size=20)
    with pytest.raises(UserError, match=r"style_scale: 0\.1 leaves a shorter side of 5 pixels"):
        job(tiny_weights, style_scale=0.1)
    job(tiny_weights, size=20, style_layers={"conv2_1": 1.0}, content_layers={"conv3_1": 1.0})


def test_identity_follows_the_inputs(tiny_weights):
    one = job(tiny_weights).identity()
    assert job(tiny_weights).identity() == one
    assert job(tiny_weights, style="sample:swirls").identity() != one
    assert job(tiny_weights, init="content").identity() != one
    assert job(tiny_weights, network={"normalize": True}).identity() != one


@pytest.mark.slow
def test_coarse_to_fine_begins_where_the_coarser_scale_ended(tiny_weights, tmp_path):
    fields = {"noise": 0.3, "scales": (0.5, 1.0), "optimizer": {"steps": 15}, "log_every": 1}
    prepared = job(tiny_weights, **fields)
    outcome = alone(prepared, tmp_path / "run")
    lines = RunFolder(tmp_path / "run", prepared.config).metrics.read()
    assert outcome.status == "done"
    assert outcome.image.shape == (1, 43, 64, 3)
    assert [line["scale"] for line in lines] == [0.5] * 16 + [1.0] * 15
    # A fresh start at full size, from noise, is much further away.
    at_full_size = job(tiny_weights, noise=0.3, optimizer={"steps": 1}, log_every=1)
    alone(at_full_size, tmp_path / "full")
    first = RunFolder(tmp_path / "full", at_full_size.config).metrics.read()[-1]["total"]
    assert lines[16]["total"] < 0.5 * first
