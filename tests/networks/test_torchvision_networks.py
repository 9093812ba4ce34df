"""Networks of other kinds than VGG: torchvision's files, every layer against PyTorch, their geometry."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from safetensors.numpy import save_file

from nst_jax import images
from nst_jax.config import NetworkConfig, from_dict
from nst_jax.errors import UserError
from nst_jax.methods.gatys import Session
from nst_jax.networks import receptive
from nst_jax.networks.architectures import architecture
from nst_jax.networks.classifier import Classifier
from nst_jax.networks.convnet import build_network
from nst_jax.networks.counterparts import counterpart
from nst_jax.networks.trained import CAFFE, TORCHVISION, make_weights
from nst_jax.transfer.preparing import prepare
from nst_jax.vision import deconvnet
from nst_jax.vision.classes import classifier_behind
from nst_jax.weights import load, load_classifier, load_network, resolve, save
from nst_jax.weights.random import random_weights
from tests.command import metrics
from tests.conftest import formula_image
from tests.seams.jobs import run, settings

ARCHS = ("squeezenet1_0", "squeezenet1_1", "resnet18")
MEAN, STD = np.float32([0.485, 0.456, 0.406]), np.float32([0.229, 0.224, 0.225])


@pytest.fixture(scope="session")
def files(tmp_path_factory):
    """For each architecture, a file as torchvision saves it, and PyTorch's network."""
    torch = pytest.importorskip("torch")
    from tests.torchvision_networks import made

    folder, made_files = tmp_path_factory.mktemp("torchvision"), {}
    for arch in ARCHS:
        network = made(arch)
        torch.save(network.state_dict(), folder / f"{arch}.pth")
        made_files[arch] = folder / f"{arch}.pth", network
    return made_files


def in_torch(network, image):
    import torch

    x = np.ascontiguousarray(((np.asarray(image) - MEAN) / STD).transpose(0, 3, 1, 2))
    with torch.no_grad():
        found = network.named(torch.from_numpy(x))
    return {k: v.permute(0, 2, 3, 1).numpy() if v.ndim == 4 else v.numpy() for k, v in found.items()}


def assert_close(found, expected, name):
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4 * np.abs(expected).max(), err_msg=name)


@pytest.mark.parametrize("size", [(96, 96), (95, 110)])
@pytest.mark.parametrize("arch", ARCHS)
def test_every_layer_and_the_scores_agree_with_pytorch(files, arch, size):
    file, reference = files[arch]
    weights = load(file, arch)
    assert weights.preprocessing == TORCHVISION
    network, image = build_network(weights, pool="max"), formula_image(*size)
    found = network(image, network.layers)
    expected = in_torch(reference, image)
    for name in set(expected) - {"scores"}:
        assert_close(found[name], expected[name], name)
    config = NetworkConfig(arch, str(file), pool="max")
    classifier, class_weights = classifier_behind(network, config, 96)
    assert class_weights.classes == 1000
    assert_close(classifier(found[classifier.layer]), expected["scores"], "scores")
    for name, F in found.items():
        assert receptive.shape(network.geometry, name, *size) == F.shape[1:3], name


def test_average_pooling_of_an_incomplete_window_is_pytorch_s():
    torch = pytest.importorskip("torch")
    from nst_jax.networks.pool import avg_pool

    x = formula_image(10, 13)
    expected = torch.nn.functional.avg_pool2d(
        torch.tensor(np.asarray(x)).permute(0, 3, 1, 2), 3, 2, ceil_mode=True
    )
    np.testing.assert_allclose(avg_pool(x, 3, 2, ceil=True), expected.permute(0, 2, 3, 1), atol=1e-6)


@pytest.fixture(scope="module", params=["squeezenet1_0", "squeezenet1_1", "resnet18"])
def positive(request):
    """Every kernel positive and every activation too: no path from a pixel is closed or cancelled."""
    shapes = architecture(request.param).kernel_shapes()
    arrays = {}
    for name, shape in shapes.items():
        arrays[f"{name}.kernel"] = np.linspace(0.5, 1.5, np.prod(shape)).reshape(shape) / np.prod(shape[:3])
        arrays[f"{name}.bias"] = np.full(shape[-1], 200.0)
    weights = make_weights("positive", request.param, arrays, CAFFE)
    # Direct convolutions: Winograd's rounding errors reach beyond the receptive field.
    return build_network(weights, pool="avg", conv="direct")


def test_boxes_are_the_support_of_gradients(positive):
    height, width = 150, 141

    @jax.jit
    def gradient(image, row, col):
        return jax.grad(lambda x: positive(x, (name,))[name][0, row, col].sum())(image)

    for name in positive.layers[1:9:2]:
        rows, cols = receptive.shape(positive.geometry, name, height, width)
        gradient.clear_cache()
        for row, col in [(0, cols - 1), (rows - 1, cols // 2), (rows // 2, 0)]:
            seen = np.asarray(gradient(jnp.ones((1, height, width, 3)), row, col)[0] != 0).any(-1)
            x0, y0, x1, y1 = receptive.box(positive.geometry, name, row, col, height, width)
            expected = np.zeros((height, width), bool)
            expected[y0:y1, x0:x1] = True
            np.testing.assert_array_equal(seen, expected, err_msg=f"{name} at {row}, {col}")


@pytest.mark.slow
@pytest.mark.parametrize(("arch", "layer"), [("squeezenet1_0", "fire5"), ("resnet18", "block3_1")])
def test_a_projection_is_the_gradient_of_the_whole_image(arch, layer):
    """Crops of strided layers without padding and of incomplete windows change nothing."""
    network = build_network(random_weights(arch), pool="max")
    image = formula_image(130, 121)
    F = np.asarray(network(image, (layer,))[layer])
    rows, cols = F.shape[1:3]
    for row, col in [(0, 0), (rows // 2, cols - 1), (rows - 1, cols // 2), (rows - 1, cols - 1)]:
        unit = int(F[0, row, col].argmax())
        half = lambda x, at=(0, row, col, unit): 0.5 * network(x, (layer,))[layer][at] ** 2  # noqa: E731
        expected = np.asarray(jax.grad(half)(image))
        at = [jnp.array([n]) for n in (unit, row, col)]
        found = deconvnet.project(network, image, layer, at, rule="gradient")
        assert_close(found, expected, f"{row}, {col}")


@pytest.mark.parametrize("arch", ARCHS)
def test_smallest_sides_are_sharp(arch):
    layers = architecture(arch).layers
    for layer in architecture(arch).names:
        side = receptive.smallest_side(layers, layer)
        assert min(receptive.shape(layers, layer, side, side)) >= 1
        assert side == 1 or min(receptive.shape(layers, layer, side - 1, side - 1)) == 0, layer


def test_files_round_trip_and_the_versions_are_told_apart(files, tmp_path):
    weights = load(files["squeezenet1_1"][0], "squeezenet1_1")
    save(tmp_path / "w.safetensors", weights, "a test")
    assert load(tmp_path / "w.safetensors", "squeezenet1_1").sha256 == weights.sha256
    with pytest.raises(UserError, match="it looks like squeezenet1_1"):
        load(files["squeezenet1_1"][0], "squeezenet1_0")
    with pytest.raises(UserError, match="contains squeezenet1_1, but"):
        load(tmp_path / "w.safetensors", "squeezenet1_0")
    save_file(dict(weights.arrays), tmp_path / "bare.safetensors")
    with pytest.raises(UserError, match="looks like squeezenet1_1, not squeezenet1_0"):
        load(tmp_path / "bare.safetensors", "squeezenet1_0")
    with pytest.raises(UserError, match=r"vgg19 does not have.*it looks like resnet18"):
        load(files["resnet18"][0], "vgg19")


@pytest.mark.parametrize("name", ["bn1.running_var", "layer2.0.downsample.1.weight", "fc.bias"])
def test_a_missing_array_is_named(files, tmp_path, name):
    import torch

    state = files["resnet18"][1].state_dict()
    del state[name]
    torch.save(state, tmp_path / "w.pth")
    with pytest.raises(UserError, match="arrays missing: "):
        load(tmp_path / "w.pth", "resnet18")


def test_a_file_of_other_classes_is_read(tmp_path):
    torch = pytest.importorskip("torch")
    from tests.torchvision_networks import made

    for arch in ARCHS:
        torch.save(made(arch, classes=7).state_dict(), tmp_path / arch)
        config = NetworkConfig(arch, str(tmp_path / arch), pool="max")
        network, _ = load_network(config, ())
        assert classifier_behind(network, config, 96)[1].classes == 7
    with pytest.raises(UserError, match="the classifier of squeezenet1_0 is its layer conv10"):
        load_classifier(tmp_path / "squeezenet1_0", "squeezenet1_0")


@pytest.mark.parametrize("arch", ["squeezenet1_0", "resnet18"])
def test_what_a_network_cannot_do_is_refused(arch):
    refusal = f"network.padding: circular cannot be used with conv1 of {arch}; use zeros"
    with pytest.raises(UserError, match=refusal):
        NetworkConfig(arch, padding="circular")
    with pytest.raises(UserError, match=f"network.normalize: not supported for {arch}"):
        load_network(NetworkConfig(arch, "random", normalize=True), ())


def test_auto_without_a_network_of_these_layers_fails_clearly():
    with pytest.raises(UserError, match=r"squeezenet1_1.* is not in the cache, and .*no layer fire5"):
        resolve("auto", "squeezenet1_1", ("fire5",))


def test_the_caffe_network_pads_conv10_and_torchvision_s_does_not():
    weights = random_weights("squeezenet1_0")
    assert weights.preprocessing == CAFFE
    sizes = {}
    for preprocessing in (CAFFE, TORCHVISION):
        made = make_weights("w", "squeezenet1_0", weights.arrays, preprocessing)
        network = build_network(made, pool="max")
        sizes[preprocessing] = network(formula_image(227, 227), ("conv10",))["conv10"].shape[1]
        assert receptive.shape(network.geometry, "conv10", 227, 227)[0] == sizes[preprocessing]
    assert sizes == {CAFFE: 15, TORCHVISION: 13}


def test_dense_layers_are_needed_only_by_vgg():
    network = build_network(random_weights("resnet18"), pool="max")
    classifier, _ = classifier_behind(network, NetworkConfig("resnet18", "random", pool="max"), 224)
    assert isinstance(classifier, Classifier)
    assert not classifier.names


def test_a_layer_of_another_network_is_refused_with_the_one_that_would_do():
    with pytest.raises(UserError, match=r"choices: conv1, pool1, fire2.*fire7 of squeezenet1_0 sees about"):
        from_dict({"network": {"arch": "squeezenet1_0"}})
    assert counterpart("conv5_1", "vgg19", "resnet18") == "block4_1"


RESNET18 = pytest.param("resnet18", ("conv1", "block2_1"), marks=pytest.mark.slow)


@pytest.mark.parametrize(("arch", "layers"), [("squeezenet1_1", ("pool1", "fire3")), RESNET18])
def test_regions_are_painted_with_every_network(arch, layers, tmp_path):
    rows, halves = np.arange(400) < 200, {}
    for name, half in {"top": rows, "bottom": ~rows}.items():
        halves[name] = str(tmp_path / f"{name}.png")
        images.write(
            tmp_path / f"{name}.png", np.float32(half)[None, :, None, None].repeat(600, 2).repeat(3, 3)
        )
    values = {
        "network": {"arch": arch, "weights": "random", "pool": "max"},
        "style_layers": dict.fromkeys(layers, 0.5),
        "content_layers": {},
        "styles": {
            "ink": {"image": "sample:ink_wash", "region": halves["top"]},
            "waves": {"image": "sample:swirls", "region": halves["bottom"]},
        },
    }
    session = Session([prepare(from_dict(settings("", **values)))])
    for guides in ("simple", "inside", "all"):
        run(settings("", **values, guides=guides), tmp_path / guides, session)
        lines = metrics(tmp_path / guides)
        assert lines[-1]["style"] < 0.8 * lines[0]["style"], guides
