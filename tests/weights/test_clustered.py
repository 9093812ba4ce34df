"""VGG-19 in 8 bits: kernels as codes in a table of 256 values, in a file of PyTorch."""

import logging

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from nst_jax.errors import UserError
from nst_jax.networks.architectures import architecture
from nst_jax.networks.trained import OXFORD
from nst_jax.weights import load
from nst_jax.weights.__main__ import main
from nst_jax.weights.oxford import FIRST_BIASES, FIRST_FILTER, SAMPLES, recognise, verdicts
from nst_jax.weights.rounding import rounding
from tests.weight_files import clustered, first_layers, reference, write_torch


def oxford_like(order=1):
    """A random conv1_1 with the few numbers by which Oxford's is known."""
    arrays = first_layers("conv1_1", "conv1_2")
    arrays["conv1_1.kernel"][2, 2, 0, :4] = SAMPLES["conv1_1"][:4]
    arrays["conv1_1.kernel"][0, 0, :, 0] = FIRST_FILTER["vgg19"]
    arrays["conv1_1.bias"][:5] = FIRST_BIASES["vgg19"]
    arrays["conv1_1.kernel"] = np.clip(arrays["conv1_1.kernel"], -1, 1)[:, :, ::order]
    return arrays


@pytest.mark.parametrize("zipped", [False, True], ids=["legacy", "zip"])
def test_codes_become_kernels(tmp_path, zipped, caplog):
    arrays = oxford_like()
    state = clustered(arrays)
    weights = load(write_torch(tmp_path / "w.bin", state, zipped), "vgg19")
    for layer, stem in (("conv1_1", "block1_conv1"), ("conv1_2", "block1_conv2")):
        kernel = state[f"{stem}_W_table"][state[f"{stem}_W_q"]].transpose(2, 3, 1, 0)
        np.testing.assert_array_equal(weights.arrays[f"{layer}.kernel"], kernel)
        np.testing.assert_array_equal(weights.arrays[f"{layer}.bias"], arrays[f"{layer}.bias"])
        span = np.ptp(arrays[f"{layer}.kernel"])
        assert np.abs(kernel - arrays[f"{layer}.kernel"]).max() <= 0.5001 * span / 255
    assert weights.preprocessing == OXFORD
    assert verdicts(weights)["conv1_1"] == "Oxford's, rounded"
    assert not recognise(weights)["conv1_1"]
    assert not caplog.records


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"block1_conv1_W_table": np.zeros(255, "f4")},
            r"W_table must be float32 of shape \(256,\).*\(255,\)",
        ),
        ({"block1_conv1_W_table": np.zeros((256, 1), "f4")}, r"W_table must be .*\(256, 1\)"),
        ({"block1_conv1_W_table": np.zeros(256, "f8")}, "W_table must be .*float64"),
        ({"block1_conv1_W_table": None}, "contains block1_conv1_W_q, but not block1_conv1_W_table"),
        ({"block1_conv1_W_q": None}, "contains block1_conv1_W_table, but not block1_conv1_W_q"),
        ({"block1_conv1_W_q": np.full((64, 3, 3, 3), 256)}, "W_q contains the code 256; its table has 256"),
        ({"block1_conv1_W_q": np.full((64, 3, 3, 3), -1)}, "W_q contains the code -1"),
        ({"block1_conv1_W_q": np.zeros((64, 3, 3, 3), "f4")}, "W_q must be integer codes.*float32"),
        ({"block1_conv1_W_q": np.zeros(64, "u1")}, r"W_q must be integer codes.*\(64,\)"),
        ({"block1_conv1_W_q": np.zeros((0, 3, 3, 3), "u1")}, r"W_q must be integer codes.*\(0, 3"),
        ({"block1_conv1_W_q": np.zeros((64, 3, 3, 2), "u1")}, r"conv1_1\.kernel is \(3, 2, 3, 64\), not"),
        ({"block1_conv1_W": np.zeros((3, 3, 3, 64), "f4")}, "contains block1_conv1_W twice"),
        ({"block1_conv1_b": None}, r"arrays missing: conv1_1\.bias"),
        ({"block1_conv1_W_table": np.full(256, np.nan, "f4")}, r"conv1_1\.kernel contains NaN"),
    ],
)
def test_each_fault_is_named(tmp_path, changes, message):
    state = clustered(first_layers("conv1_1")) | changes
    path = write_torch(tmp_path / "w", {name: array for name, array in state.items() if array is not None})
    with pytest.raises(UserError, match=message) as error:
        load(path, "vgg19")
    assert str(error.value).startswith(f"{path}: ")


@pytest.mark.parametrize(
    ("stored", "expected"), [("8-bit", "8-bit"), ("float16", "float16"), ("float32", "float32")]
)
def test_show_and_convert_name_the_rounding(tmp_path, capsys, stored, expected):
    arrays = oxford_like()
    if stored == "8-bit":
        path = write_torch(tmp_path / "w", clustered(arrays), zipped=False)
    else:
        path = tmp_path / "w"
        save_file({name: array.astype(stored) for name, array in arrays.items()}, path)
    out = tmp_path / "converted.safetensors"
    assert main(["weights", "show", str(path)]) == 0
    assert main(["weights", "convert", str(path), f"--out={out}"]) == 0
    assert main(["weights", "show", str(out)]) == 0
    shown, (converted, *_), again = np.split(capsys.readouterr().out.splitlines(), [7, 8])
    assert f"2 layers, {expected} " in converted
    for lines in (shown, again):
        assert f"numbers        {expected}" in lines


def test_the_rounding_of_a_network_is_that_of_its_finest_kernel():
    numbers = np.random.default_rng(0).standard_normal((3, 3, 64, 64), np.float32)
    coarse = np.round(numbers * 8) / 8
    half = numbers.astype(np.float16).astype(np.float32)
    brain = (numbers.view(np.uint32) & 0xFFFF0000).view(np.float32)
    assert [rounding([kernel]) for kernel in (coarse, brain, half, numbers)] == [
        *("8-bit", "bfloat16", "float16", "float32")
    ]
    assert rounding([coarse, brain]) == "bfloat16"
    assert rounding([coarse, numbers, half]) == "float32"


@pytest.mark.parametrize("stored", ["float16", "bfloat16"])
def test_a_rounded_oxford_is_known_and_a_changed_one_is_not(tmp_path, stored):
    ml_dtypes = pytest.importorskip("ml_dtypes")
    arrays = oxford_like()
    dtype = ml_dtypes.bfloat16 if stored == "bfloat16" else stored
    save_file({name: array.astype(dtype) for name, array in arrays.items()}, tmp_path / "w")
    weights = load(tmp_path / "w", "vgg19")
    assert weights.preprocessing == OXFORD
    assert verdicts(weights) == {"conv1_1": "Oxford's, rounded", "conv1_2": "not Oxford's"}
    arrays["conv1_1.bias"] = arrays["conv1_1.bias"] * 1.01
    save_file(arrays, tmp_path / "changed")
    assert verdicts(load(tmp_path / "changed", "vgg19"))["conv1_1"] == "not Oxford's"


def test_the_published_file_is_oxfords(caplog):
    caplog.set_level(logging.WARNING)
    weights = load(reference("vgg19_8bit.bin"), "vgg19")
    assert weights.layers() == architecture("vgg19").weighted
    assert weights.preprocessing == OXFORD
    assert set(verdicts(weights).values()) == {"Oxford's, rounded"}
    assert not caplog.records
    exact = load_file(reference("vgg19_conv1_1-conv3_4.safetensors"))
    exact |= load_file(reference("vgg19_conv4_1-conv5_4_fingerprint.safetensors"))
    for layer in weights.layers():
        kernel = weights.arrays[f"{layer}.kernel"]
        expected = exact.get(f"{layer}.kernel")
        if expected is None:
            kernel, expected = kernel[2, 2, :8, :8], exact[f"{layer}.kernel_tap22_0_8"]
        assert 0.002 < np.linalg.norm(kernel - expected) / np.linalg.norm(expected) < 0.013
        np.testing.assert_array_equal(weights.arrays[f"{layer}.bias"], exact[f"{layer}.bias"])
    assert rounding([weights.arrays["conv5_4.kernel"]]) == "8-bit"
