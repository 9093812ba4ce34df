import dataclasses

import numpy as np
import pytest
from safetensors.numpy import save_file

from nst_jax.errors import UserError
from nst_jax.networks.architectures import architecture
from nst_jax.networks.trained import OXFORD, array_digest, make_weights
from nst_jax.weights import load, resolve
from nst_jax.weights.checks import require
from nst_jax.weights.naming import canonical
from nst_jax.weights.oxford import DIGESTS, recognise
from nst_jax.weights.random import random_weights
from tests.weight_files import assert_same, conv1_1, first_layers, reference


def changed(**changes):
    """conv1_1 and conv1_2 with arrays replaced, or taken away where None."""
    arrays = first_layers("conv1_1", "conv1_2")
    arrays |= {name.replace("__", "."): array for name, array in changes.items()}
    return {name: array for name, array in arrays.items() if array is not None}


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        (changed(conv1_2__bias=None), r"arrays missing: conv1_2\.bias$"),
        (changed(conv1_1__kernel=None), r"arrays missing: conv1_1\.kernel$"),
        (changed(conv1_9__bias=np.zeros(3, "f4")), r"vgg19 does not have: conv1_9\.bias$"),
        (changed(extra=np.zeros(3, "f4")), r"vgg19 does not have: extra$"),
        (
            changed(**{f"x{index}": np.zeros(1, "f4") for index in range(9)}),
            "x0, x1, x2, x3 and 5 more",
        ),
        (
            changed(conv1_1__kernel=np.zeros((64, 3, 3, 3), "f4")),
            r"conv1_1\.kernel is \(64, 3, 3, 3\), not \(3, 3, 3, 64\)",
        ),
        (changed(conv1_1__bias=np.zeros(63, "f4")), r"bias is \(63,\), not \(64,\)"),
        (changed(conv1_1__bias=np.zeros((1, 64), "f4")), r"bias is \(1, 64\), not \(64,\)"),
        (changed(conv1_1__bias=np.zeros(64, "i4")), r"conv1_1\.bias is int32"),
        (changed(conv1_1__bias=np.zeros(64, "bool")), r"conv1_1\.bias is bool"),
        (changed(conv1_1__bias=np.full(64, np.nan, "f4")), "conv1_1.bias contains NaN"),
        (changed(conv1_1__bias=np.full(64, np.inf, "f4")), "conv1_1.bias contains NaN or inf"),
        (changed(conv1_1__bias=np.full(64, 1e300)), "conv1_1.bias contains NaN or inf"),
        ({"fc6.weight": np.zeros(3, "f4")}, "contains no convolutions of vgg19"),
    ],
)
def test_each_fault_is_named(tmp_path, arrays, message):
    path = tmp_path / "w.safetensors"
    save_file(arrays, path)
    with pytest.raises(UserError, match=message) as error:
        load(path, "vgg19")
    assert str(error.value).startswith(f"{path}: ")
    assert "\n" not in str(error.value)


def test_one_array_under_two_names():
    kernel = conv1_1()["conv1_1.kernel"]
    tensors = {"conv1_1.kernel": kernel, "block1_conv1/kernel": kernel}
    with pytest.raises(UserError, match=r"conv1_1\.kernel twice"):
        canonical("w", "vgg19", tensors)


def test_the_other_vgg_is_recognised():
    vgg16, vgg19 = (
        {f"{layer}.bias": np.zeros(1) for layer in architecture(arch).weighted} for arch in ("vgg16", "vgg19")
    )
    with pytest.raises(UserError, match="it looks like vgg19"):
        canonical("w", "vgg16", vgg19)
    with pytest.raises(UserError, match="looks like vgg16, not vgg19"):
        _load_arrays(vgg16, "vgg19")


def _load_arrays(arrays, arch):
    from nst_jax.weights.checks import checked

    named, _, _ = canonical("w", arch, arrays)
    return make_weights("w", arch, checked("w", arch, named), OXFORD)


@pytest.mark.parametrize("arch", ["vgg16", "vgg19"])
def test_torchvisions_positions(arch):
    positions = {
        "vgg16": (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28),
        "vgg19": (0, 2, 5, 7, 10, 12, 14, 16, 19, 21, 23, 25, 28, 30, 32, 34),
    }[arch]
    tensors = {f"features.{position}.bias": np.zeros(1) for position in positions}
    named, _, _ = canonical("w", arch, tensors)
    assert list(named) == [f"{layer}.bias" for layer in architecture(arch).weighted]


def test_a_gap_matters_only_to_runs_beyond_it():
    weights = _load_arrays(first_layers("conv1_1", "conv2_1"), "vgg19")
    assert weights.layers() == ("conv1_1", "conv2_1")
    require(weights, ["conv1_1"])
    with pytest.raises(UserError, match="lacks conv1_2, required for conv2_1"):
        require(weights, ["conv2_1"])
    with pytest.raises(UserError, match="has no layer conv2_9; choose from conv1_1"):
        require(weights, ["conv2_9"])


def test_pools_need_the_convolutions_before_them():
    assert architecture("vgg16").weighted_up_to("pool2") == ("conv1_1", "conv1_2", "conv2_1", "conv2_2")
    with pytest.raises(UserError, match="lacks conv1_2"):
        require(_load_arrays(conv1_1(), "vgg19"), ["pool1"])


def test_unknown_arch(tmp_path):
    with pytest.raises(UserError, match=r"unknown 'vgg11'.* choices: vgg19, vgg16, slim"):
        load(tmp_path, "vgg11")


def test_open_widths_are_taken_from_the_file():
    weights = _load_arrays(random_weights("slim").arrays, "slim")
    assert weights.arrays["conv5_1.bias"].shape == (128,)
    broken = dict(weights.arrays)
    broken["conv2_2.kernel"] = np.zeros((3, 3, 31, 32), "f4")
    with pytest.raises(UserError, match=r"conv2_2\.kernel is \(3, 3, 31, 32\), not \(3, 3, 32, 32"):
        _load_arrays(broken, "slim")


def test_digest_is_of_names_shapes_and_numbers():
    arrays = conv1_1()
    assert array_digest(arrays) == array_digest(dict(reversed(arrays.items())))
    assert array_digest(arrays) != array_digest({**arrays, "conv1_1.bias": np.zeros(64, "f4")})
    assert array_digest(arrays) != array_digest({f"x{name}": array for name, array in arrays.items()})
    flat = {**arrays, "conv1_1.kernel": arrays["conv1_1.kernel"].reshape(27, 64)}
    assert array_digest(arrays) != array_digest(flat)


def test_weights_are_read_only():
    weights = make_weights("w", "vgg19", conv1_1(), OXFORD)
    with pytest.raises(ValueError, match="read-only"):
        weights.arrays["conv1_1.bias"][0] = 1
    with pytest.raises(TypeError):
        weights.arrays["conv1_1.bias"] = 1


def test_random_kernels_are_orthogonal_and_reproducible():
    weights = random_weights("vgg16")
    slim = random_weights("slim")
    assert slim.sha256 == resolve("random", "slim", ["conv5_3"]).sha256
    assert slim.sha256 != random_weights("slim", seed=1).sha256
    for layer, shape in architecture("vgg16").kernel_shapes().items():
        assert weights.arrays[f"{layer}.kernel"].shape == shape
        assert not weights.arrays[f"{layer}.bias"].any()
    for layer, axis in (("conv1_1", 1), ("conv1_2", 0), ("conv5_3", 0)):
        matrix = weights.arrays[f"{layer}.kernel"].reshape(
            -1, architecture("vgg16").kernel_shapes()[layer][3]
        )
        gram = matrix @ matrix.T if axis else matrix.T @ matrix
        np.testing.assert_allclose(gram, 2 * np.eye(len(gram)), atol=1e-5)


def test_the_reference_is_oxfords(caplog):
    weights = load(reference("vgg19_conv1_1-conv3_4.safetensors"), "vgg19")
    assert weights.layers() == architecture("vgg19").weighted[:8]
    assert weights.preprocessing == OXFORD
    assert all(recognise(weights).values())
    assert not caplog.records
    require(weights, ["conv3_4"])
    with pytest.raises(UserError, match="lacks conv4_1, conv4_2"):
        require(weights, ["conv4_2"])


def test_the_reference_in_rgb_is_known_again(tmp_path):
    weights = load(reference("vgg19_conv1_1-conv3_4.safetensors"), "vgg19")
    kernel = np.ascontiguousarray(weights.arrays["conv1_1.kernel"][:, :, ::-1])
    save_file({**weights.arrays, "conv1_1.kernel": kernel}, tmp_path / "w")
    again = load(tmp_path / "w", "vgg19")
    assert_same(again, weights.arrays)
    assert again.sha256 == weights.sha256
    touched = {**weights.arrays, "conv2_1.bias": weights.arrays["conv2_1.bias"] + 1e-6}
    known = recognise(dataclasses.replace(weights, arrays=touched))
    assert [layer for layer, same in known.items() if not same] == ["conv2_1"]


def test_later_layers_are_known_by_their_fingerprint():
    from safetensors.numpy import load_file

    fingerprint = load_file(reference("vgg19_conv4_1-conv5_4_fingerprint.safetensors"))
    arrays = dict(random_weights("vgg19").arrays)
    for layer in ("conv4_1", "conv5_4"):
        kernel = arrays[f"{layer}.kernel"].copy()
        kernel[2, 2, :8, :8] = fingerprint[f"{layer}.kernel_tap22_0_8"]
        arrays |= {f"{layer}.kernel": kernel, f"{layer}.bias": fingerprint[f"{layer}.bias"]}
    known = recognise(make_weights("w", "vgg19", arrays, OXFORD))
    assert set(known) == set(DIGESTS)
    assert [layer for layer, same in known.items() if same] == ["conv4_1", "conv5_4"]
