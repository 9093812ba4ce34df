"""Projections against unpooling, rectifying and transposed filters written out, in NumPy and in PyTorch."""

import jax.numpy as jnp
import numpy as np
import pytest

from nst_jax.errors import UserError
from nst_jax.networks import receptive
from nst_jax.networks.architectures import architecture
from nst_jax.networks.trained import Weights
from nst_jax.networks.vgg import VGG
from nst_jax.vision import deconvnet
from tests.conftest import formula_image, formula_weights

HEIGHT, WIDTH = 29, 38  # odd where it is pooled for the second time, and before
LAYER = "conv3_2"
MEAN_BGR = (103.939, 116.779, 123.68)


def correlate(x: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """3x3 cross-correlation of "h w i" with zero padding, tap by tap."""
    height, width = x.shape[:2]
    padded = np.pad(x, ((1, 1), (1, 1), (0, 0)))
    taps = [(dy, dx) for dy in range(3) for dx in range(3)]
    return sum(padded[dy : dy + height, dx : dx + width] @ kernel[dy, dx] for dy, dx in taps)


def transposed(signal: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Each value of "h w o" pastes its filter, times itself, where `correlate` had read."""
    height, width = signal.shape[:2]
    pasted = np.zeros((height + 2, width + 2, kernel.shape[2]))
    for dy in range(3):
        for dx in range(3):
            pasted[dy : dy + height, dx : dx + width] += signal @ kernel[dy, dx].T
    return pasted[1:-1, 1:-1]


def windows(x: np.ndarray) -> np.ndarray:
    """The 2x2 windows of "h w n" as "h/2 w/2 4 n", in reading order."""
    height, width = x.shape[0] // 2, x.shape[1] // 2
    whole = x[: 2 * height, : 2 * width].reshape(height, 2, width, 2, -1)
    return whole.transpose(0, 2, 1, 3, 4).reshape(height, width, 4, -1)


def unpool(signal: np.ndarray, x: np.ndarray, pool: str) -> np.ndarray:
    """To where the maximum of each window of `x` was, or a quarter to each of the four."""
    switches = np.arange(4)[:, None] == windows(x).argmax(2)[:, :, None]
    share = switches if pool == "max" else np.full((4, 1), 0.25)
    height, width = signal.shape[:2]
    spread = (signal[:, :, None] * share).reshape(height, width, 2, 2, -1).transpose(0, 2, 1, 3, 4)
    whole = np.zeros(x.shape)
    whole[: 2 * height, : 2 * width] = spread.reshape(2 * height, 2 * width, -1)
    return whole


def rectify(signal: np.ndarray, activation: np.ndarray, rule: str) -> np.ndarray:
    if rule in ("gradient", "guided"):
        signal = signal * (activation > 0)
    return np.maximum(signal, 0) if rule in ("deconvnet", "guided") else signal


def explicit(
    weights: Weights, image: np.ndarray, unit: int, place: tuple, pool: str, rule: str
) -> np.ndarray:
    """Forward with everything kept, then down again, layer by layer, in float64; `place` may be slices."""
    x = image[..., ::-1].astype(np.float64) * 255 - MEAN_BGR
    names = VGG(weights).layers
    steps = names[: names.index(LAYER) + 1]
    outputs, before = {}, {}
    for name in steps:
        before[name] = x
        if name.startswith("pool"):
            x = windows(x).max(2) if pool == "max" else windows(x).mean(2)
        else:
            x = np.maximum(correlate(x, weights.arrays[f"{name}.kernel"]) + weights.arrays[f"{name}.bias"], 0)
        outputs[name] = x
    signal = np.zeros_like(x)
    signal[(*place, unit)] = x[(*place, unit)]
    for name in reversed(steps):
        if name.startswith("pool"):
            signal = unpool(signal, before[name], pool)
        else:
            signal = transposed(rectify(signal, outputs[name], rule), weights.arrays[f"{name}.kernel"])
    return signal[..., ::-1] * 255


@pytest.fixture(scope="module")
def weights() -> Weights:
    return formula_weights()


@pytest.fixture(scope="module")
def batch(weights):
    """Four pictures, each with a unit and a place where it fires: a corner, two borders and inside."""
    images = jnp.concatenate([formula_image(HEIGHT, WIDTH, phase) for phase in range(4)])
    F = np.asarray(VGG(weights)(images, (LAYER,))[LAYER])
    rows, cols = F.shape[1:3]
    row, col = np.array([0, rows - 1, 3, rows // 2]), np.array([0, 4, cols - 1, cols // 2])
    return images, F[np.arange(4), row, col].argmax(-1), row, col


@pytest.mark.parametrize("rule", deconvnet.RULES)
@pytest.mark.parametrize("pool", ["max", "avg"])
def test_projections_are_the_paper_s_construction(weights, batch, pool, rule):
    images, unit, row, col = batch
    network = VGG(weights, pool)
    got = deconvnet.project(network, images, LAYER, tuple(map(jnp.asarray, (unit, row, col))), rule=rule)
    whole = deconvnet.project_map(network, images, LAYER, jnp.asarray(unit), rule=rule)
    for i, image in enumerate(np.asarray(images)):
        expected = explicit(weights, image, unit[i], (row[i], col[i]), pool, rule)
        assert np.abs(expected).max() > 1, "a unit that fires"
        np.testing.assert_allclose(got[i], expected, atol=1e-4 * np.abs(expected).max())
        expected = explicit(weights, image, unit[i], (slice(None), slice(None)), pool, rule)
        np.testing.assert_allclose(whole[i], expected, atol=1e-4 * np.abs(expected).max())


def test_the_rules_differ(weights, batch):
    images, *at = batch
    network = VGG(weights, "max")
    pictures = [
        deconvnet.project(network, images, LAYER, tuple(map(jnp.asarray, at)), rule=r)
        for r in deconvnet.RULES
    ]
    for one, other in [(0, 1), (0, 2), (1, 2)]:
        assert np.abs(pictures[one] - pictures[other]).max() > 0.05 * np.abs(pictures[one]).max()


@pytest.mark.parametrize("rule", deconvnet.RULES)
def test_projections_are_pytorch_s(weights, batch, rule):
    """Backward hooks on PyTorch's own ReLU, max pooling with its own switches."""
    torch = pytest.importorskip("torch")
    images, unit, row, col = batch
    x = torch.tensor(np.asarray(images)).permute(0, 3, 1, 2).double().requires_grad_(True)
    y = x.flip(1) * 255 - torch.tensor(MEAN_BGR, dtype=torch.float64).view(1, 3, 1, 1)
    layers = VGG(weights).layers
    for name in layers[: layers.index(LAYER) + 1]:
        if name.startswith("pool"):
            y = torch.nn.functional.max_pool2d(y, 2)
            continue
        kernel = torch.tensor(weights.arrays[f"{name}.kernel"]).permute(3, 2, 0, 1).double()
        bias = torch.tensor(weights.arrays[f"{name}.bias"]).double()
        y = TorchRelu.of(torch, rule)(torch.nn.functional.conv2d(y, kernel, bias, padding=1))
    one = np.arange(4), unit, row, col
    y[one].square().sum().mul(0.5).backward()
    got = deconvnet.project(
        VGG(weights, "max"), images, LAYER, tuple(map(jnp.asarray, (unit, row, col))), rule=rule
    )
    expected = x.grad.permute(0, 2, 3, 1).numpy()
    np.testing.assert_allclose(got, expected, atol=1e-4 * np.abs(expected).max())


class TorchRelu:
    """The three rules in PyTorch's terms."""

    @staticmethod
    def of(torch, rule):
        class Relu(torch.autograd.Function):
            @staticmethod
            def forward(context, x):
                context.save_for_backward(x)
                return x.clamp(min=0)

            @staticmethod
            def backward(context, signal):
                (x,) = context.saved_tensors
                return torch.tensor(rectify(signal.numpy(), x.numpy(), rule))

        return Relu.apply


@pytest.mark.parametrize("layer", ["pool1", "conv5_1"])
def test_a_projection_stays_in_its_receptive_field(weights, layer):
    network, image = VGG(weights, "max"), formula_image(67, 83)
    rows, cols = receptive.shape(architecture("slim").layers, layer, 67, 83)
    unit = network(image, (layer,))[layer][0, rows - 1, cols // 2].argmax()[None]
    at = jnp.array([rows - 1]), jnp.array([cols // 2])
    got = np.array(deconvnet.project(network, image, layer, (unit, *at)))
    x0, y0, x1, y1 = receptive.box(architecture("slim").layers, layer, rows - 1, cols // 2, 67, 83)
    assert np.abs(got).max() > 0
    got[:, y0:y1, x0:x1] = 0
    assert not got.any()


def test_a_silent_unit_has_an_empty_projection_and_an_even_gray_picture(weights):
    network, image = VGG(weights), formula_image(24, 24)
    silent = (network(image, (LAYER,))[LAYER][0, 3, 3] == 0).argmax()[None]
    got = deconvnet.project(network, image, LAYER, (silent, jnp.array([3]), jnp.array([3])))
    assert not np.asarray(got).any()
    np.testing.assert_array_equal(deconvnet.to_picture(got), 0.5)


def test_pictures_are_centred_on_gray_each_at_its_own_scale():
    values = np.zeros((2, 20, 20, 3), np.float32)
    values[0, 5:15, 5:15] = np.linspace(-1, 1, 300).reshape(10, 10, 3)
    values[1] = 1000 * values[0]
    pictures = deconvnet.to_picture(values)
    np.testing.assert_allclose(pictures[0], pictures[1], atol=1e-6)
    assert (pictures.min(), pictures.max()) == (0, 1)
    np.testing.assert_array_equal(pictures[:, :5], 0.5)
    np.testing.assert_allclose(pictures[0, 5:15, 5:15].ravel()[150], 0.5 + 0.5 / 299, atol=1e-4)


def test_unknown_rules_and_layers_are_named(weights):
    network, at = VGG(weights), (jnp.array([0]),) * 3
    with pytest.raises(UserError, match="rule: unknown 'guide'; did you mean 'guided'"):
        deconvnet.project(network, formula_image(24, 24), LAYER, at, rule="guide")
    with pytest.raises(UserError, match="layer: unknown 'conv9_1'"):
        deconvnet.project(network, formula_image(24, 24), "conv9_1", at)
