"""VGG: named activations against fixtures made with PyTorch, early stopping, filter normalisation."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nst_jax.networks.conv import conv3x3
from nst_jax.networks.normalize import mean_activations, normalize_filters
from nst_jax.networks.trained import TORCHVISION, make_weights
from nst_jax.networks.vgg import VGG
from nst_jax.weights import load
from tests.conftest import formula_image, formula_weights


def test_activations_match_the_fixtures(reference):
    fixtures = json.loads((reference / "weights" / "activation_fixtures.json").read_text())["vgg19_real"]
    network = VGG(load(reference / "weights" / "vgg19_conv1_1-conv3_4.safetensors", "vgg19"), "max")
    i, j, c = np.meshgrid(np.arange(64), np.arange(64), np.arange(3), indexing="ij")
    image = (((7 * i + 13 * j + 29 * c) % 256) / 255).astype(np.float32)[None]
    image = jnp.asarray(image)
    activations = network(image, tuple(name.replace("relu", "conv") for name in fixtures))
    assert len(fixtures) == 8
    for name, fixture in fixtures.items():
        F = np.asarray(activations[name.replace("relu", "conv")][0])
        assert list(F.shape) == fixture["shape"]
        assert F.mean() == pytest.approx(fixture["mean"], rel=1e-5)
        assert F.std() == pytest.approx(fixture["std"], rel=1e-5)
        assert F.max() == pytest.approx(fixture["max"], rel=1e-5)
        assert (F == 0).mean() == pytest.approx(fixture["zero_frac"], abs=1e-4)
        np.testing.assert_allclose(F[0, 0, :4], fixture["at_y0x0"], rtol=1e-4, atol=1e-2)


@pytest.mark.parametrize("pool", ["avg", "max"])
@pytest.mark.parametrize("arch", ["vgg16", "slim"])
def test_every_layer_agrees_with_pytorch(pool, arch):
    torch_reference = pytest.importorskip("tests.torch_reference", reason="PyTorch is not installed")
    weights = formula_weights(arch=arch)
    network = VGG(weights, pool)
    image = formula_image(50, 38)
    found = network(image, network.layers)
    tensor = torch_reference._tensor(image)
    expected = torch_reference.activations(weights.arrays, tensor, network.layers, pool, arch)
    assert found.keys() == expected.keys()
    for name in network.layers:
        F = expected[name].permute(0, 2, 3, 1).numpy()
        np.testing.assert_allclose(found[name], F, rtol=1e-3, atol=1e-5 * F.max(), err_msg=name)


def test_it_computes_no_further_than_the_deepest_layer():
    network = VGG(formula_weights())
    program = str(jax.make_jaxpr(lambda image: network(image, ("pool1", "conv2_1")))(formula_image(16, 16)))
    # Each convolution is one custom rule, whose name appears once.
    assert program.count("custom_vjp_call[") == 3


def test_a_file_that_ends_early_makes_a_network_that_ends_there():
    weights = formula_weights()
    kept = {k: v for k, v in weights.arrays.items() if k[4] in "12"}
    network = VGG(make_weights("part", "slim", kept, weights.preprocessing))
    assert network.layers == ("conv1_1", "conv1_2", "pool1", "conv2_1", "conv2_2", "pool2")
    with pytest.raises(ValueError, match="no layer conv3_1; the network has conv1_1"):
        network(formula_image(16, 16), ("conv3_1",))


def test_preprocessing_follows_the_weights():
    weights = formula_weights()
    arrays = {k: v for k, v in weights.arrays.items() if k.startswith("conv1_1")}
    image = formula_image(8, 8)
    found = VGG(make_weights("t", "slim", arrays, TORCHVISION))(image, ("conv1_1",))["conv1_1"]
    x = (image - np.float32([0.485, 0.456, 0.406])) / np.float32([0.229, 0.224, 0.225])
    direct = jax.lax.conv_general_dilated(
        x, arrays["conv1_1.kernel"], (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )
    np.testing.assert_allclose(found, np.maximum(direct + arrays["conv1_1.bias"], 0), rtol=1e-4, atol=1e-5)


def test_the_convolution_has_the_gradients_of_the_plain_one():
    rng = np.random.default_rng(0)
    x, kernel = (
        jnp.asarray(rng.standard_normal(shape), jnp.float32) for shape in ((2, 9, 7, 4), (3, 3, 4, 5))
    )

    def plain(x, kernel):
        return jax.lax.conv_general_dilated(
            x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
        )

    def gradients(convolution):
        return jax.grad(lambda x, kernel: jnp.sum(jnp.sin(convolution(x, kernel))), argnums=(0, 1))(x, kernel)

    for found, expected in zip(gradients(conv3x3), gradients(plain), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("pool", ["avg", "max"])
def test_normalising_filters_changes_scale_and_nothing_else(pool):
    photos = [formula_image(40, 56), formula_image(32, 32, 1.0)]
    weights = formula_weights()
    means = mean_activations(VGG(weights, pool), photos)
    normalized = VGG(normalize_filters(weights, means), pool)
    for layer, mean in mean_activations(normalized, photos).items():
        alive = means[layer] > 0
        np.testing.assert_allclose(mean[alive], 1, rtol=1e-3, err_msg=layer)
    other = formula_image(24, 48, 2.0)
    before, after = VGG(weights, pool)(other, weights.layers()), normalized(other, weights.layers())
    for layer in weights.layers():
        scale = np.where(means[layer] > 0, means[layer], 1)
        F = np.asarray(before[layer])
        np.testing.assert_allclose(after[layer] * scale, F, rtol=1e-3, atol=1e-5 * F.max(), err_msg=layer)


def test_means_weigh_every_position_alike():
    network = VGG(formula_weights())
    large, small = formula_image(64, 32), formula_image(16, 32, 1.0)
    F = [np.asarray(network(image, ("conv1_1",))["conv1_1"]).reshape(-1, 4) for image in (large, small)]
    means = mean_activations(network, [large, small])
    np.testing.assert_allclose(means["conv1_1"], np.concatenate(F).mean(0), rtol=1e-5)
