"""Regions: guides from masks by exact receptive fields, and the guided statistics of Gatys et al. 2017."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nst_jax.config.schema import GUIDES
from nst_jax.devices.split import ByRows
from nst_jax.losses.features.request import EVERYWHERE
from nst_jax.losses.guides import guides
from nst_jax.losses.style import STYLE_LOSSES
from nst_jax.networks import receptive
from nst_jax.networks.architectures import architecture
from nst_jax.networks.vgg import VGG
from tests.conftest import formula_image, formula_weights
from tests.losses.objectives import make_objective, style_weights, total

LAYERS = {"conv1_1": 0.5, "conv2_1": 0.3, "conv3_1": 0.2}
SIZE = (56, 72)


def left_half(height, width):
    return np.arange(width)[None].repeat(height, 0) < width // 2


def soft_masks(height, width):
    """Two gray masks that overlap."""
    ramp = np.linspace(0, 1, width)[None].repeat(height, 0).astype(np.float32)
    return {"one": ramp**2, "two": 1 - ramp}


def guided(network, masks, mode, losses=("gram",), wrap=False):
    """An objective of style alone, with a region per mask; a mask of None is the whole picture."""
    style = formula_image(48, 64, 2.0)

    def by_layer(size):
        found = {layer: {} for layer in LAYERS}
        for region, mask in masks(*size).items():
            brought = dict.fromkeys(LAYERS)
            if mask is not None:
                brought = guides(np.asarray(mask, np.float32), network.geometry, tuple(LAYERS), mode, wrap)
            for layer in LAYERS:
                guide = brought[layer]
                found[layer][region] = guide if guide is None else ByRows(jnp.asarray(guide))
        return found

    content_guides, style_guides = by_layer(SIZE), by_layer(style.shape[1:3])
    fields = style_weights(LAYERS, losses)
    content = formula_image(*SIZE)
    return make_objective(network, content, style, 0, content_guides, style_guides, **fields)


def value_and_gradient(network, J, image):
    return jax.jit(jax.value_and_grad(total, argnums=2))(network, J, image)


@pytest.mark.parametrize("mode", GUIDES)
def test_a_white_mask_changes_no_bit(mode):
    network, image = VGG(formula_weights()), formula_image(*SIZE)
    whole = guided(network, lambda h, w: {EVERYWHERE: None}, mode)
    white = guided(network, lambda h, w: {"all": np.ones((h, w))}, mode)
    for found, expected in zip(*(value_and_gradient(network, J, image) for J in (white, whole)), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_inside_a_region_nothing_outside_it_has_a_gradient():
    network, image = VGG(formula_weights()), formula_image(*SIZE)
    for here in (True, False):
        J = guided(network, lambda h, w, here=here: {"one": left_half(h, w) == here}, "inside")
        _, gradient = value_and_gradient(network, J, image)
        inside = left_half(*SIZE) == here
        assert not np.any(np.asarray(gradient)[0, ~inside])
        assert np.mean(np.any(np.asarray(gradient)[0, inside], axis=-1)) > 0.9


def test_the_order_of_regions_changes_nothing():
    network, image = VGG(formula_weights()), formula_image(*SIZE)
    J = guided(network, soft_masks, "simple")
    other = guided(network, lambda h, w: dict(reversed(soft_masks(h, w).items())), "simple")
    for found, expected in zip(*(value_and_gradient(network, one, image) for one in (J, other)), strict=True):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("size", [(40, 48), (37, 51)])
@pytest.mark.parametrize(
    ("arch", "names"),
    [
        ("slim", tuple(LAYERS)),
        ("squeezenet1_0", ("conv1", "pool1", "fire2")),  # windows that are incomplete
        ("resnet18", ("conv1", "pool1", "block2_1")),
    ],
)
def test_guides_follow_the_exact_receptive_fields(arch, names, size):
    layers = architecture(arch).layers
    mask = np.random.default_rng(0).random(size) < 0.98
    mask[:, : size[1] // 3] = True
    for mode, expected in (("inside", np.all), ("all", np.any)):
        region = mask if mode == "inside" else ~mask
        found = guides(region.astype(np.float32), layers, names, mode)
        for layer in names:
            rows, cols = receptive.shape(layers, layer, *size)
            fields = [
                [receptive.box(layers, layer, row, col, *size) for col in range(cols)] for row in range(rows)
            ]
            seen = [[expected(region[y0:y1, x0:x1]) for x0, y0, x1, y1 in row] for row in fields]
            np.testing.assert_array_equal(found[layer][0, ..., 0] > 0, seen, err_msg=f"{mode} {layer}")
            assert np.mean(np.square(found[layer])) == pytest.approx(1, rel=1e-5)


def test_a_simple_guide_is_the_resized_mask_and_a_vanished_one_is_zero():
    network = VGG(formula_weights())
    ramp = np.linspace(0, 1, 64, dtype=np.float32)[None].repeat(32, 0)
    found = guides(ramp, network.geometry, ("conv3_1",), "simple")["conv3_1"][0, 0, :, 0]
    np.testing.assert_allclose(np.diff(found)[1:-1], np.diff(found)[5], rtol=1e-3)
    dot = np.zeros((32, 32), np.float32)
    dot[16, 16] = 1
    assert not guides(dot, network.geometry, ("conv3_1",), "inside")["conv3_1"].any()


def test_fields_continue_on_the_opposite_side_of_a_periodic_picture():
    network = VGG(formula_weights(), padding="circular")
    column = np.zeros((16, 16), np.float32)
    column[:, 0] = 1
    seen = guides(column, network.geometry, ("conv1_1",), "all", wrap=True)["conv1_1"][0, 8, :, 0] > 0
    np.testing.assert_array_equal(np.flatnonzero(seen), [0, 1, 15])


@pytest.mark.parametrize("arch", ["formula", "vgg19"])
def test_guided_grams_and_their_gradient_agree_with_pytorch(arch, request):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    from tests import torch_reference

    weights = formula_weights()
    if arch == "vgg19":
        from nst_jax.weights import load

        folder = request.getfixturevalue("reference") / "weights"
        weights = load(folder / "vgg19_conv1_1-conv3_4.safetensors", "vgg19")
    # A picture of which no activation is so near 0 that rounding decides on which side of the ReLU it is.
    network, image, style = VGG(weights), formula_image(*SIZE, 0.3), formula_image(48, 64, 2.0)
    J = guided(network, soft_masks, "simple")
    value, gradient = value_and_gradient(network, J, image)

    def grams(picture, layer_guides):
        found = torch_reference.activations(weights.arrays, picture, LAYERS, "avg", weights.arch)
        products = {}
        for layer, F in found.items():
            for region, guide in layer_guides[layer].items():
                rows = (torch.tensor(np.asarray(guide.values, np.float64))[..., 0] * F).reshape(
                    F.shape[1], -1
                )
                products[layer, region] = rows @ rows.T / rows.shape[1]
        return products

    G = torch_reference._tensor(image).requires_grad_(True)
    masks = soft_masks(*style.shape[1:3])
    style_guides = {layer: {} for layer in LAYERS}
    for region, mask in masks.items():
        for layer, guide in guides(mask, network.geometry, tuple(LAYERS), "simple").items():
            style_guides[layer][region] = ByRows(guide)
    targets = grams(torch_reference._tensor(style), style_guides)
    loss = 0
    for (layer, region), found in grams(G, J.targets["style"].guides).items():
        error = ((found - targets[layer, region]) ** 2).sum() / (4 * len(found) ** 2)
        loss = loss + LAYERS[layer] / 2 * error
    loss.backward()
    assert float(value) == pytest.approx(float(loss.detach()), rel=1e-4)
    expected = G.grad.permute(0, 2, 3, 1).numpy()
    assert np.linalg.norm(gradient - expected) < 1e-4 * np.linalg.norm(expected)


def test_guided_sums_are_the_mean_of_the_guided_activations():
    random = np.random.default_rng(1)
    F, T = random.random((1, 9, 7, 5), np.float32), random.random((1, 9, 7, 1), np.float32)
    loss = STYLE_LOSSES["sums"]
    found = loss.statistic(jnp.asarray(F), 63, jnp.asarray(T))
    np.testing.assert_allclose(found, np.mean(np.float64(T) * F, axis=(0, 1, 2)), rtol=1e-5)
    target = random.random(5, np.float32)
    expected = np.mean((np.asarray(found) - target) ** 2)
    assert float(loss.distance(found, jnp.asarray(target))) == pytest.approx(float(expected), rel=1e-5)
    np.testing.assert_allclose(loss.statistic(jnp.asarray(F), 63, None), F.mean((0, 1, 2)), rtol=1e-5)
