"""SqueezeNet 1.0 with the trained weights of Han et al. (Deep Compression): parity and accuracy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nst_jax.config import NetworkConfig
from nst_jax.networks.trained import CAFFE
from nst_jax.vision.classes import classifier_behind
from nst_jax.vision.labels import class_names
from nst_jax.weights import load_network
from tests.conftest import formula_image

SIDE = 227  # pixels
TOLERANCE = 1e-4  # of the largest activation of a layer


@pytest.fixture(scope="module")
def squeezenet(reference):
    """The network, its weights and its classifier."""
    file = reference / "weights" / "squeezenet_v1_0_deepcompressed.safetensors"
    config = NetworkConfig("squeezenet1_0", str(file), pool="max")
    network, weights = load_network(config, ())
    return network, weights, classifier_behind(network, config, SIDE)[0]


def in_torch(arrays, image):
    """All layers as Caffe defines them, written out with PyTorch's functions; and the class scores."""
    torch = pytest.importorskip("torch")
    functional = torch.nn.functional

    def conv(x, name, **options):
        kernel = torch.tensor(np.array(arrays[f"{name}.kernel"])).permute(3, 2, 0, 1)
        return functional.relu(functional.conv2d(x, kernel, torch.tensor(arrays[f"{name}.bias"]), **options))

    x = torch.tensor(255 * np.asarray(image)[..., ::-1] - np.float32([104, 117, 123])).permute(0, 3, 1, 2)
    outputs = {"conv1": conv(x, "conv1", stride=2)}
    x = outputs["conv1"]
    for number in range(1, 10):
        if number > 1:
            name = f"fire{number}"
            squeezed = conv(x, f"{name}.squeeze1x1")
            expanded = conv(squeezed, f"{name}.expand1x1"), conv(squeezed, f"{name}.expand3x3", padding=1)
            x = outputs[name] = torch.cat(expanded, 1)
        if number in (1, 4, 8):
            x = outputs[f"pool{number}"] = functional.max_pool2d(x, 3, 2, ceil_mode=True)
    x = outputs["conv10"] = conv(x, "conv10", padding=1)
    return {name: F.permute(0, 2, 3, 1).numpy() for name, F in outputs.items()}, x.mean((2, 3)).numpy()


def test_every_layer_and_the_scores_agree_with_pytorch_on_trained_weights(squeezenet):
    network, weights, classifier = squeezenet
    assert weights.preprocessing == CAFFE
    image = formula_image(SIDE, SIDE)
    found = network(image, network.layers)
    expected, scores = in_torch(weights.arrays, image)
    assert set(found) == set(expected)
    for name, F in expected.items():
        np.testing.assert_allclose(found[name], F, rtol=0, atol=TOLERANCE * F.max(), err_msg=name)
    np.testing.assert_allclose(classifier(found["conv10"]), scores, rtol=0, atol=TOLERANCE * scores.max())


def test_photographs_are_named(squeezenet, reference):
    """Top-1 on a tenth of the reference photos; on all 900 it is 62 %."""
    from PIL import Image

    network, _, classifier = squeezenet
    files = sorted((reference / "images" / "photos_imagenet").iterdir())[::10]
    scores = jax.jit(lambda x: classifier(network(x, (classifier.layer,))[classifier.layer]))
    names, right = class_names("imagenet", 1000), 0
    for file in files:
        with Image.open(file) as photo:
            side = min(photo.size)
            left, top = (photo.width - side) // 2, (photo.height - side) // 2
            square = photo.convert("RGB").crop((left, top, left + side, top + side)).resize((SIDE, SIDE))
        best = int(scores(jnp.asarray(square, jnp.float32)[None] / 255).argmax())
        right += names[best].split(" (")[0] == file.stem.partition("_")[2].replace("_", " ")
    assert right >= 0.5 * len(files), f"{right} of {len(files)}"
