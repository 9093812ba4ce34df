"""Projections, occlusion and relevance against captum, on the same network in PyTorch."""

import jax.numpy as jnp
import numpy as np
import pytest

from nst_jax.config import NetworkConfig
from nst_jax.networks.architectures import architecture
from nst_jax.networks.vgg import VGG
from nst_jax.vision.deconvnet import project
from nst_jax.vision.probing import occlusion
from nst_jax.vision.probing.occlusion import OcclusionSettings
from nst_jax.vision.relevance import Towards, relevances
from tests.conftest import formula_image, formula_weights
from tests.torch_reference import MEAN_BGR

torch = pytest.importorskip("torch")
attr = pytest.importorskip("captum.attr")

# captum warns that it sets hooks on ReLUs.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

SIZE, LAYER, UNIT = 36, "conv3_1", 2
POOLS = ("max", "avg")


class ToBGR(torch.nn.Module):
    """Oxford's preprocessing."""

    def forward(self, x):
        return x.flip(1) * 255 - torch.tensor(MEAN_BGR, dtype=x.dtype).view(1, 3, 1, 1)


def torch_network(pool):
    """The network up to `LAYER` as one sequence, in float64, and its modules by name."""
    arrays, modules = formula_weights().arrays, {"input": ToBGR()}
    for layer in architecture("slim").up_to(LAYER):
        if layer.name.startswith("pool"):
            modules[layer.name] = torch.nn.MaxPool2d(2) if pool == "max" else torch.nn.AvgPool2d(2)
            continue
        kernel = torch.tensor(arrays[f"{layer.name}.kernel"]).permute(3, 2, 0, 1)
        convolution = torch.nn.Conv2d(kernel.shape[1], kernel.shape[0], 3, padding=1)
        convolution.weight.data = kernel
        convolution.bias.data = torch.tensor(arrays[f"{layer.name}.bias"])
        modules[f"{layer.name} before ReLU"] = convolution
        modules[layer.name] = torch.nn.ReLU()
    return torch.nn.Sequential(*modules.values()).double(), modules


def to_torch(image):
    return torch.tensor(np.asarray(image, np.float64)).permute(0, 3, 1, 2)


def to_numpy(x):
    return x.detach().permute(0, 2, 3, 1).numpy()


@pytest.mark.parametrize("pool", POOLS)
@pytest.mark.parametrize("rule", ["gradient", "deconvnet", "guided"])
def test_projections_are_captums(rule, pool):
    methods = {
        "gradient": attr.NeuronGradient,
        "deconvnet": attr.NeuronDeconvolution,
        "guided": attr.NeuronGuidedBackprop,
    }
    image, (model, modules) = formula_image(SIZE, SIZE), torch_network(pool)
    activation = model(to_torch(image))[0, UNIT].detach().numpy()
    row, col = np.unravel_index(activation.argmax(), activation.shape)
    found = methods[rule](model, modules[LAYER]).attribute(to_torch(image), (UNIT, int(row), int(col)))
    expected = activation.max() * to_numpy(found)
    at = [jnp.array([number]) for number in (UNIT, row, col)]
    ours = project(VGG(formula_weights(), pool), image, LAYER, at, rule)
    np.testing.assert_allclose(ours, expected, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize("pool", POOLS)
def test_occlusion_is_captums(pool):
    side, image, (model, _) = 9, formula_image(SIZE, SIZE), torch_network(pool)

    def activity(x):
        return model(x)[:, UNIT].sum((1, 2))

    window = (3, side, side)
    lost = attr.Occlusion(activity).attribute(to_torch(image), window, strides=window, baselines=0.3)
    expected = activity(to_torch(image)).item() - to_numpy(lost)[0, ::side, ::side, 0]
    settings = OcclusionSettings(
        size=SIZE,
        layer=LAYER,
        square=side,
        stride=side,
        gray=0.3,
        batch=5,
        network=NetworkConfig("slim", pool=pool),
    )
    maps = occlusion.slide(VGG(formula_weights(), pool), None, image, settings, UNIT, -1)
    np.testing.assert_allclose(maps.activity, expected, rtol=1e-5)


@pytest.mark.parametrize("pool", POOLS)
def test_relevance_is_captums(pool):
    layers, images = (
        ("conv1_2", "conv2_1"),
        jnp.concatenate([formula_image(SIZE, SIZE, p) for p in (0.0, 1.0)]),
    )
    ours, _ = relevances(VGG(formula_weights(), pool), None, images, layers, Towards(LAYER, UNIT))
    model, modules = torch_network(pool)
    for layer in layers:
        method = attr.LayerGradientXActivation(lambda x: model(x)[:, UNIT].sum((1, 2)), modules[layer])
        expected = to_numpy(method.attribute(to_torch(images)))
        np.testing.assert_allclose(ours[layer], expected, atol=1e-5 * np.abs(expected).max())


def test_relevance_is_layer_wise_relevance_propagation_also_with_biases():
    """captum's epsilon rule with an epsilon of 1e-9; pooled over all positions, so that the output is one."""
    image, (model, modules) = formula_image(SIZE, SIZE), torch_network("avg")
    ours, _ = relevances(VGG(formula_weights(), "avg"), None, image, ("conv2_1",), Towards(LAYER, UNIT))
    positions = model(to_torch(image))[0, UNIT].numel()
    pooled = torch.nn.Sequential(*list(model)[1:], torch.nn.AdaptiveAvgPool2d(1))
    start = ToBGR()(to_torch(image)).requires_grad_(True)
    # A ReLU passes relevance on as it is, and captum keeps none for it.
    found = attr.LayerLRP(pooled, modules["conv2_1 before ReLU"]).attribute(start, target=(UNIT, 0, 0))
    expected = positions * to_numpy(found)
    np.testing.assert_allclose(ours["conv2_1"], expected, atol=1e-4 * np.abs(expected).max())
