"""What enters the last ReLU of a layer: `convB_I:pre`."""

import numpy as np
import pytest

from nst_jax.networks.convnet import build_network
from nst_jax.networks.network import PRE, entering
from nst_jax.weights.random import random_weights
from tests.conftest import formula_image


@pytest.mark.parametrize("arch", ["vgg19", "squeezenet1_0", "resnet18"])
def test_what_enters_the_last_relu_of_a_layer(arch):
    network = build_network(random_weights(arch, 0), pool="max")
    image = formula_image(64, 72)
    names = [layer.name for layer in network.geometry]
    found = network(image, [*names, *(name + PRE for name in names)])
    for layer in network.geometry:
        before, after = np.asarray(found[layer.name + PRE]), np.asarray(found[layer.name])
        if layer.rectified:
            assert before.min() < 0 < before.max(), layer.name
            np.testing.assert_array_equal(np.maximum(before, 0), after, err_msg=layer.name)
        else:
            np.testing.assert_array_equal(before, after, err_msg=layer.name)
        assert entering(network, layer.name) == layer.name + PRE * layer.rectified
    assert [layer.name for layer in network.geometry if layer.weighted and not layer.rectified] == (
        ["fc"] if arch == "resnet18" else []
    )
