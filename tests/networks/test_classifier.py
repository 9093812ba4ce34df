"""VGG's classifier: every format against PyTorch, strictly read, and the convolutions as before."""

import jax.numpy as jnp
import numpy as np
import pytest
from safetensors.numpy import save_file

from nst_jax.errors import UserError
from nst_jax.networks.classifier import Classifier
from nst_jax.networks.trained import OXFORD, array_digest
from nst_jax.networks.vgg import VGG
from nst_jax.weights import load, load_classifier
from nst_jax.weights.naming import classifier_name
from tests import whole_files
from tests.conftest import formula_image
from tests.whole_files import canonical, state_dict, write_keras, write_matconvnet

TORCHVISION_MEAN, TORCHVISION_STD = np.float32([0.485, 0.456, 0.406]), np.float32([0.229, 0.224, 0.225])


def oxford_rgb(image):
    return image * 255 - whole_files.MEAN_RGB


def oxford_bgr(image):
    return oxford_rgb(image)[..., ::-1]


def torchvision(image):
    return (image - TORCHVISION_MEAN) / TORCHVISION_STD


def write_torch(path, state):
    torch = pytest.importorskip("torch")
    torch.save({name: torch.from_numpy(array) for name, array in state.items()}, path)
    return path


def write_safetensors(path, state):
    save_file(state, path)
    return path


def write_canonical(path, state):
    save_file({name: np.ascontiguousarray(array) for name, array in canonical(state).items()}, path)
    return path


FORMATS = {
    "torchvision": (write_torch, torchvision),
    "torchvision safetensors": (write_safetensors, torchvision),
    "keras": (write_keras, oxford_bgr),
    "matconvnet": (write_matconvnet, oxford_rgb),
    "canonical": (write_canonical, oxford_bgr),
}


def pytorch_scores(state, x):
    """The scores of the network that torchvision would build, on preprocessed pictures `b h w 3`."""
    torch = pytest.importorskip("torch")
    nn, layers, before = torch.nn, [], 3
    for width, count in zip(whole_files.WIDTHS, whole_files.CONVS, strict=True):
        for _ in range(count):
            layers += [nn.Conv2d(before, width, 3, padding=1), nn.ReLU()]
            before = width
        layers.append(nn.MaxPool2d(2, 2))
    first, second = whole_files.HIDDEN
    network = nn.Module()
    network.features = nn.Sequential(*layers)
    dense = [nn.Linear(before * 7 * 7, first), nn.ReLU(), nn.Dropout(), nn.Linear(first, second), nn.ReLU()]
    network.classifier = nn.Sequential(*dense, nn.Dropout(), nn.Linear(second, whole_files.CLASSES))
    network.load_state_dict({name: torch.from_numpy(array) for name, array in state.items()})
    network.eval()
    with torch.no_grad():
        pool5 = network.features(torch.from_numpy(np.ascontiguousarray(x.transpose(0, 3, 1, 2))))
        return network.classifier(torch.flatten(pool5, 1)).numpy()


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_agrees_with_pytorch(tmp_path, kind):
    write, preprocess = FORMATS[kind]
    state = state_dict()
    path = write(tmp_path / "whole", state)
    network = VGG(load(path, "slim"), pool="max")
    classifier = Classifier(load_classifier(path, "slim"))
    images = jnp.concatenate([formula_image(224, 224), formula_image(224, 224, 1.0)])
    scores = classifier(network(images, ("pool5",))["pool5"])
    expected = pytorch_scores(state, preprocess(np.asarray(images)))
    assert np.ptp(expected, axis=1).min() > 0.1
    np.testing.assert_allclose(scores, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())


@pytest.mark.parametrize("kind", FORMATS)
def test_a_classifier_has_one_digest_in_every_format_and_the_convolutions_keep_theirs(tmp_path, kind):
    state = state_dict()
    path = FORMATS[kind][0](tmp_path / "whole", state)
    arrays = canonical(state)
    classifier = load_classifier(path, "slim")
    assert classifier.sha256 == array_digest({name: a for name, a in arrays.items() if name.startswith("fc")})
    assert classifier.classes == whole_files.CLASSES
    convs = {name: array for name, array in arrays.items() if name.startswith("conv")}
    assert load(path, "slim", OXFORD).sha256 == array_digest(convs)


@pytest.mark.parametrize(
    ("stored", "name"),
    [
        ("classifier.0.weight", "fc6.kernel"),
        ("module.classifier.1.bias", "fc6.bias"),
        ("classifier.4.weight", "fc7.kernel"),
        ("fc8.weight", "fc8.kernel"),
        ("fc7.bias", "fc7.bias"),
        ("fc1/fc1_W_1:0", "fc6.kernel"),
        ("fc2/fc2/bias:0", "fc7.bias"),
        ("model_weights/predictions/vgg19/predictions/kernel:0", "fc8.kernel"),
        ("layers/fc1/vars/1", "fc6.bias"),
        ("layers/dense/vars/0", "fc6.kernel"),
        ("layers/dense_2/vars/1", "fc8.bias"),
        ("features.0.weight", None),
        ("classifier.2.weight", None),
        ("conv1_1.kernel", None),
        ("layers/dense_3/vars/0", None),
        ("optimizer_weights/adam/fc1/kernel:0", None),
    ],
)
def test_the_names_of_every_family(stored, name):
    found = classifier_name(stored)
    assert (found and found[1]) == name


def changed(**changes):
    """A canonical file's arrays with some replaced, or dropped where None."""
    arrays = canonical(state_dict()) | {name.replace("__", "."): array for name, array in changes.items()}
    return {name: array for name, array in arrays.items() if array is not None}


@pytest.mark.parametrize(
    ("arrays", "arch", "words"),
    [
        ({"conv1_1.kernel": np.zeros((3, 3, 3, 4), np.float32)}, "slim", ["contains no", "fc8"]),
        (changed(fc7__bias=None), "slim", ["missing", "fc7.bias"]),
        (changed(), "vgg19", ["fc6.kernel is (392, 12), not (25088, 4096)"]),
        (changed(fc7__kernel=np.zeros((11, 10), np.float32)), "slim", ["fc7.kernel", "(12, 10)"]),
        (changed(fc6__kernel=np.zeros((8, 7, 7, 12), np.float32)), "slim", ["fc6.kernel", "(392, 12)"]),
        (changed(fc6__kernel=np.zeros(1, np.float32)), "slim", ["fc6.kernel is (1,)"]),
        (changed(fc8__bias=np.full(5, np.nan, np.float32)), "slim", ["fc8.bias", "NaN"]),
        (changed(fc8__bias=np.zeros(5, np.int32)), "slim", ["fc8.bias", "int32"]),
        (state_dict() | {"classifier.1.weight": np.zeros((3, 3), np.float32)}, "slim", ["fc6.kernel twice"]),
        (state_dict() | {"classifier.0.weight": np.zeros((12, 50), np.float32)}, "slim", ["(50, 12)"]),
    ],
    ids=["none", "missing", "narrow", "chain", "channels", "flat", "nan", "integers", "twice", "grid"],
)  # fmt: skip
def test_a_file_that_does_not_fit_is_refused(tmp_path, arrays, arch, words):
    path = tmp_path / "w.safetensors"
    save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, path)
    with pytest.raises(UserError) as caught:
        load_classifier(path, arch)
    for word in ["w.safetensors", *words]:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("name", "word"), [("auto", "full VGG file"), ("vgg19", "full VGG file"), ("nowhere.h5", "cannot read")]
)
def test_a_name_gives_no_classifier(name, word):
    with pytest.raises(UserError, match=word):
        load_classifier(name, "vgg19")


def test_other_pictures_than_its_training_s_are_refused(tmp_path):
    classifier = Classifier(load_classifier(write_canonical(tmp_path / "w", state_dict()), "slim"))
    with pytest.raises(UserError, match=r"224 x 224 pixels.*not 6 x 7 x 8"):
        classifier(jnp.zeros((1, 6, 7, 8)))
