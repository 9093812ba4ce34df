"""Receptive fields against the support of gradients, and cuts against the whole image."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nst_jax.errors import UserError
from nst_jax.networks import receptive
from nst_jax.networks.architectures import architecture
from nst_jax.networks.trained import OXFORD, make_weights
from nst_jax.networks.vgg import VGG
from tests.conftest import formula_image, formula_weights

SLIM = architecture("slim").layers


@pytest.fixture(scope="module")
def positive() -> VGG:
    """Every kernel positive and every activation too: no path from a pixel is closed or cancelled."""
    arrays = {}
    for layer, shape in architecture("slim").kernel_shapes((1, 1, 1, 1, 1)).items():
        arrays[f"{layer}.kernel"] = np.linspace(0.05, 0.2, np.prod(shape)).reshape(shape)
        arrays[f"{layer}.bias"] = np.full(shape[-1], 200.0)
    return VGG(make_weights("positive", "slim", arrays, OXFORD), "avg")


@partial(jax.jit, static_argnames="layer")
def gradients(network: VGG, layer: str, images: jax.Array, row: jax.Array, col: jax.Array) -> jax.Array:
    """Of one activation for each image: at (row[i], col[i]) of image i."""

    def activations(images: jax.Array) -> jax.Array:
        return network(images, (layer,))[layer][jnp.arange(len(images)), row, col, 0].sum()

    return jax.grad(activations)(images)


def support(network: VGG, layer: str, places: list, height: int, width: int) -> np.ndarray:
    images, (row, col) = jnp.ones((len(places), height, width, 3)), jnp.array(places).T
    return np.asarray((gradients(network, layer, images, row, col) != 0).any(3))


@pytest.mark.parametrize(
    ("layer", "height", "width"),
    [
        ("conv1_1", 9, 8),
        ("pool1", 9, 7),
        ("conv2_2", 31, 27),
        ("conv3_1", 46, 53),
        ("pool3", 71, 67),
        ("conv5_1", 201, 190),
    ],
)
def test_a_box_is_the_support_of_the_gradient(positive, layer, height, width):
    rows, cols = receptive.shape(SLIM, layer, height, width)
    middle = rows // 2, cols // 2
    places = [(0, 0), (0, cols - 1), (rows - 1, cols // 2), middle, (rows - 1, cols - 1)]
    supports = support(positive, layer, places, height, width)
    for (row, col), seen in zip(places, supports, strict=True):
        x0, y0, x1, y1 = receptive.box(SLIM, layer, row, col, height, width)
        expected = np.zeros((height, width), bool)
        expected[y0:y1, x0:x1] = True
        np.testing.assert_array_equal(seen, expected)


@pytest.mark.parametrize(
    ("arch", "layer", "side"),
    [("vgg19", "conv1_1", 3), ("vgg19", "pool1", 6), ("vgg19", "conv3_1", 24), ("vgg16", "conv5_3", 196)],
)
def test_sizes_known_from_the_literature(arch, layer, side):
    """Each convolution adds two strides, each pooling one: 196 is the value published for VGG-16."""
    assert receptive.field_side(architecture(arch).layers, layer) == side


def test_shapes_are_the_network_s():
    network = VGG(formula_weights())
    for layer, F in network(formula_image(75, 99), network.layers).items():
        assert receptive.shape(SLIM, layer, 75, 99) == F.shape[1:3]


@pytest.mark.parametrize("side", [29, 64])
def test_a_cut_holds_the_activation_of_the_whole_image(side):
    """Every position of an axis: the number is the same in the cut, and the cut is no longer than it says."""
    network, image = VGG(formula_weights(), "max"), formula_image(30, side)
    whole = network(image, ("conv3_1",))["conv3_1"]
    stride, lead, length = receptive.window(network.geometry, "conv3_1", side)
    assert length == min(side, 28 + side % 4)
    for col in range(whole.shape[2]):
        start = min(max(stride * (col - lead), 0), side - length)
        cut = network(image[:, :, start : start + length], ("conv3_1",))["conv3_1"]
        np.testing.assert_allclose(cut[:, :, col - start // stride], whole[:, :, col], rtol=1e-4, atol=1e-3)


def test_what_does_not_exist_is_named():
    with pytest.raises(UserError, match=r"layer: unknown 'conv9_1'.*conv1_1"):
        receptive.box(SLIM, "conv9_1", 0, 0, 64, 64)
    with pytest.raises(ValueError, match="conv3_1 has positions 0 to 15 for 64 pixels, not 16"):
        receptive.box(SLIM, "conv3_1", 16, 0, 64, 64)
