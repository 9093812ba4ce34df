"""LPIPS against its formula in PyTorch, and how its weights are found and refused."""

import numpy as np
import pytest

from nst_jax import images
from nst_jax.bench import lpips
from nst_jax.bench.lpips import LAYERS, LpipsSettings, load_lpips
from nst_jax.errors import UserError
from nst_jax.weights import save
from nst_jax.weights.random import random_weights
from tests.conftest import formula_image

torch = pytest.importorskip("torch")
functional = torch.nn.functional
ARCH = "squeezenet1_1"
MEAN, STD = np.float32([0.485, 0.456, 0.406]), np.float32([0.229, 0.224, 0.225])


@pytest.fixture(scope="module")
def network():
    from tests.torchvision_networks import made

    return made(ARCH)


@pytest.fixture(scope="module")
def channel_weights(network):
    with torch.no_grad():
        found = network.named(torch.zeros(1, 3, 64, 64))
    torch.manual_seed(1)
    return {layer: torch.rand(1, found[layer].shape[1], 1, 1) for layer in LAYERS[ARCH]}


@pytest.fixture(scope="module")
def settings(network, channel_weights, tmp_path_factory):
    """Files as torchvision and the package lpips write them."""
    folder = tmp_path_factory.mktemp("lpips")
    torch.save(network.state_dict(), folder / "backbone.pth")
    linear = {f"lin{i}.model.1.weight": each for i, each in enumerate(channel_weights.values())}
    torch.save(linear, folder / "linear.pth")
    return LpipsSettings(ARCH, str(folder / "backbone.pth"), str(folder / "linear.pth"))


def expected(network, channel_weights, pictures):
    """Zhang et al. 2018, equation 1."""
    activations = []
    for picture in pictures:
        x = torch.from_numpy(((picture - MEAN) / STD).transpose(0, 3, 1, 2).copy())
        with torch.no_grad():
            found = network.named(x)
        activations.append({layer: functional.normalize(found[layer], dim=1) for layer in channel_weights})
    F, P = activations
    return sum(
        float(((F[layer] - P[layer]) ** 2 * weights).sum(1).mean())
        for layer, weights in channel_weights.items()
    )


def test_the_distance_is_that_of_equation_1(settings, network, channel_weights):
    measure = load_lpips(settings)
    photo = images.fit(images.read("sample:coffee"), 96)
    other = np.asarray(formula_image(*photo.shape[1:3]))
    value = expected(network, channel_weights, (other, photo))
    assert measure(other, photo) == pytest.approx(value, rel=1e-4)
    assert measure(photo, photo) == 0
    nearer = 0.9 * photo + 0.1 * other
    assert measure(nearer.astype(np.float32), photo) < 0.5 * value


def test_without_an_architecture_it_is_left_out():
    assert load_lpips(LpipsSettings()) is None


def test_files_of_other_networks_are_refused(settings, tmp_path, monkeypatch):
    with pytest.raises(UserError, match=r"lin0\.model\.1\.weight of 64 channels for squeezenet1_1"):
        load_lpips(LpipsSettings(ARCH, settings.weights, settings.weights))
    with pytest.raises(UserError, match="alexnet"):
        LpipsSettings("alexnet")
    oxford = tmp_path / "caffe.safetensors"
    save(oxford, random_weights(ARCH), "as of Caffe")
    with pytest.raises(UserError, match=r"lpips\.weights.*not torchvision's squeezenet1_1"):
        load_lpips(LpipsSettings(ARCH, str(oxford), settings.linear))
    monkeypatch.setattr(lpips.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match="pip install --no-deps lpips"):
        load_lpips(LpipsSettings(ARCH, settings.weights))
