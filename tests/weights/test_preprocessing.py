"""Which preprocessing a file gets: what is stated or recognised counts, and a guess is a warning."""

import json

import numpy as np
import pytest
import scipy.io
from safetensors.numpy import save_file

from nst_jax.networks.trained import OXFORD, TORCHVISION, Preprocessing, reversed_channels
from nst_jax.weights import load
from nst_jax.weights.__main__ import main
from nst_jax.weights.oxford import FIRST_BIASES, FIRST_FILTER
from nst_jax.weights.preprocessing import stated_beside
from tests.weight_files import conv1_1, mat_layer, write_h5
from tests.weights.test_formats import save_npy

WARNING = "does not state its preprocessing"
FIRST_ROWS = {
    "vgg19": [
        *((-5.3474e-02, -4.9257e-02, -6.7942e-02), (1.7015e-02, 5.5403e-02, -6.2293e-03)),
        (-4.4885e-02, 1.2680e-02, -1.4497e-02),
    ],
    "vgg16": [(-0.5537, 0.1427, 0.5290), (0.1755, 0.0099, -0.0814), (0.3130, -0.1659, -0.4275)],
}


def oxford_first(arch, order=1, noise=0.0):
    """A first layer with the numbers of Oxford's that are known, moved by `noise` of their size."""
    arrays = conv1_1()
    generator = np.random.default_rng(1)
    known = np.array([*FIRST_FILTER[arch], *FIRST_BIASES[arch]])
    known += noise * np.linalg.norm(known) / np.sqrt(8) * generator.standard_normal(8)
    arrays["conv1_1.kernel"][0, 0, :, 0] = known[:3][::order]
    arrays["conv1_1.bias"][:5] = known[3:]
    return arrays


def torchvision_first(arch):
    """The first row of torchvision's first filter, as PyTorch prints it: per channel red, green, blue."""
    arrays = conv1_1()
    arrays["conv1_1.kernel"][0, :, :, 0] = np.transpose(FIRST_ROWS[arch])
    if arch == "vgg16":
        arrays["conv1_1.bias"][:5] = (0.4034, 0.3778, 0.4644, -0.3228, 0.3940)
    return arrays


def with_torchvision_names(path, arrays, dtype="float32"):
    kernel = np.ascontiguousarray(arrays["conv1_1.kernel"].transpose(3, 2, 0, 1))
    state = {"features.0.weight": kernel, "features.0.bias": arrays["conv1_1.bias"]}
    save_file({name: array.astype(dtype) for name, array in state.items()}, path)
    return path


def with_keras_3_names(path, arrays):
    stored = {
        "layers/conv2d/vars/0": arrays["conv1_1.kernel"],
        "layers/conv2d/vars/1": arrays["conv1_1.bias"],
    }
    return write_h5(path, stored)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("arch", ["vgg16", "vgg19"])
@pytest.mark.parametrize("order", [1, -1], ids=["bgr", "rgb"])
def test_oxford_rounded_is_recognised_in_silence(tmp_path, caplog, dtype, arch, order):
    ml_dtypes = pytest.importorskip("ml_dtypes")
    stored = ml_dtypes.bfloat16 if dtype == "bfloat16" else dtype
    path = with_torchvision_names(tmp_path / "w", oxford_first(arch, order), stored)
    assert load(path, arch).preprocessing == OXFORD
    assert not caplog.records


@pytest.mark.parametrize("arch", ["vgg16", "vgg19"])
def test_torchvision_is_recognised_whatever_the_names(tmp_path, caplog, arch):
    path = with_keras_3_names(tmp_path / "w", torchvision_first(arch))
    assert load(path, arch).preprocessing == TORCHVISION
    assert not caplog.records


@pytest.mark.parametrize("noise", [0.01, 0.03])
@pytest.mark.parametrize("arch", ["vgg16", "vgg19"])
def test_a_fine_tuned_oxford_keeps_its_preprocessing_with_a_warning(tmp_path, caplog, arch, noise):
    path = with_torchvision_names(tmp_path / "w", oxford_first(arch, noise=noise))
    assert load(path, arch).preprocessing == OXFORD
    assert WARNING in caplog.text
    assert "convert --preprocessing=" in caplog.text
    assert "close to those of the published network" in caplog.text


@pytest.mark.parametrize("write", [with_torchvision_names, with_keras_3_names])
def test_every_guess_is_a_warning_that_names_the_option(tmp_path, caplog, write):
    weights = load(write(tmp_path / "w", conv1_1()), "vgg19")
    assert weights.preprocessing == (TORCHVISION if write is with_torchvision_names else OXFORD)
    (record,) = caplog.records
    assert WARNING in record.getMessage()
    assert "convert --preprocessing=" in record.getMessage()


def test_large_first_filters_are_not_fed_0_to_255(tmp_path, caplog):
    """Oxford's filters rescaled to torchvision's inputs, under names that tell nothing."""
    arrays = conv1_1()
    arrays["conv1_1.kernel"] *= 58
    assert load(with_keras_3_names(tmp_path / "w", arrays), "vgg19").preprocessing == TORCHVISION
    assert "too large for inputs of 0..255" in caplog.text


KERAS_HUB = {
    "scale": [0.01712475383, 0.0175070028, 0.01742919389],
    "offset": [-2.1179039301310043, -2.0357142857142856, -1.8044444444444445],
}
TRANSFORMERS = {
    "image_mean": [0.485, 0.456, 0.406],
    "image_std": [0.229, 0.224, 0.225],
    "rescale_factor": 1 / 255,
}
FLIPPED = {"image_mean": [103.939, 116.779, 123.68], "image_std": [1, 1, 1], "do_rescale": False}
HALF = Preprocessing("rgb", 1.0, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [
        ("image_converter.json", {"config": KERAS_HUB}, TORCHVISION),
        ("image_converter.json", {"config": {"scale": 1 / 127.5, "offset": -1}}, HALF),
        ("image_converter.json", {"config": {"scale": None, "offset": None}}, None),
        ("preprocessor_config.json", TRANSFORMERS, TORCHVISION),
        ("preprocessor_config.json", TRANSFORMERS | {"rescale_factor": 1 / 255}, TORCHVISION),
        ("preprocessor_config.json", FLIPPED | {"do_flip_channel_order": True}, OXFORD),
        ("preprocessor_config.json", {"do_normalize": False} | TRANSFORMERS, None),
        ("config.json", {"pretrained_cfg": {"mean": [0.5] * 3, "std": [0.5] * 3}}, HALF),
        ("config.json", {"model_type": "vgg"}, None),
    ],
)
def test_a_json_file_beside_the_weights_counts(tmp_path, caplog, name, values, expected):
    path = with_keras_3_names(tmp_path / "model.weights.h5", conv1_1())
    (tmp_path / name).write_text(json.dumps(values))
    stated = stated_beside(path)
    assert (stated is None) == (expected is None)
    weights = load(path, "vgg19")
    if expected is None:
        assert WARNING in caplog.text
        return
    assert weights.preprocessing.channels == expected.channels
    for field in ("scale", "mean", "std"):
        np.testing.assert_allclose(getattr(weights.preprocessing, field), getattr(expected, field), rtol=1e-6)
    assert not caplog.records


@pytest.mark.parametrize(
    "text",
    [
        *("{", "[]", "{}", '{"config": 3}', '{"config": {"scale": "x"}}', '{"config": {"scale": [1, 2]}}'),
        *('{"config": {"scale": 0}}', '{"config": {"scale": -1}}', '{"config": {"scale": 1e-400}}'),
        *('{"config": {"scale": 1e308, "offset": 1e308}}', "[" * 10_000 + "]" * 10_000),
    ],
)
@pytest.mark.filterwarnings("error")
def test_an_invalid_one_is_ignored_with_a_warning(tmp_path, caplog, text):
    path = with_keras_3_names(tmp_path / "w.h5", conv1_1())
    (tmp_path / "image_converter.json").write_text(text)
    assert load(path, "vgg19").preprocessing == OXFORD
    assert "image_converter.json is ignored" in caplog.text


def test_values_count_more_than_a_json_file(tmp_path):
    path = with_torchvision_names(tmp_path / "w", oxford_first("vgg19"))
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(TRANSFORMERS))
    assert load(path, "vgg19").preprocessing == OXFORD


def test_an_option_counts_more_than_everything(tmp_path):
    path = with_keras_3_names(tmp_path / "w.h5", conv1_1())
    (tmp_path / "image_converter.json").write_text(json.dumps({"config": KERAS_HUB}))
    out = tmp_path / "out.safetensors"
    assert main(["weights", "convert", str(path), "--preprocessing=oxford-rgb", f"--out={out}"]) == 0
    assert load(out, "vgg19").preprocessing == OXFORD  # Oxford's in RGB is turned into BGR
    np.testing.assert_array_equal(
        load(out, "vgg19").arrays["conv1_1.kernel"], conv1_1()["conv1_1.kernel"][:, :, ::-1]
    )


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("image", [np.zeros((0, 0, 3)), np.zeros((0, 0))])
def test_an_empty_average_image_of_matconvnet_is_none(tmp_path, caplog, image):
    arrays = conv1_1()
    layers = np.empty((1, 1), object)
    layers[0, 0] = mat_layer(
        "conv1_1", "conv", filters=arrays["conv1_1.kernel"], biases=arrays["conv1_1.bias"][None]
    )
    scipy.io.savemat(tmp_path / "w.mat", {"layers": layers, "normalization": {"averageImage": image}})
    weights = load(tmp_path / "w.mat", "vgg19")
    assert weights.preprocessing == OXFORD  # RGB in the file, BGR here
    np.testing.assert_array_equal(weights.arrays["conv1_1.kernel"], arrays["conv1_1.kernel"][:, :, ::-1])
    assert "assuming oxford-rgb" in caplog.text


def test_the_reversed_preprocessing_is_the_same_colours():
    color = OXFORD.mean_color()
    np.testing.assert_array_equal(reversed_channels(OXFORD).mean_color(), color)


def test_numpy_files_of_oxford_are_recognised(tmp_path, caplog):
    arrays = oxford_first("vgg16", order=-1)  # vgg16_weights.npz is in RGB
    np.savez(tmp_path / "w.npz", conv1_1_W=arrays["conv1_1.kernel"], conv1_1_b=arrays["conv1_1.bias"])
    assert load(tmp_path / "w.npz", "vgg16").preprocessing == OXFORD
    arrays = oxford_first("vgg19")
    layers = {"conv1_1": [arrays["conv1_1.kernel"], arrays["conv1_1.bias"]]}
    assert load(save_npy(tmp_path / "w.npy", layers), "vgg19").preprocessing == OXFORD
    assert not caplog.records
