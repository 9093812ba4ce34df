import numpy as np
import pytest
from safetensors.numpy import save_file

from nst_jax.errors import UserError
from nst_jax.networks.trained import OXFORD, TORCHVISION, make_weights
from nst_jax.weights import load, save
from nst_jax.weights.oxford import FIRST_BIASES, FIRST_FILTER
from tests.weight_files import (
    DATA,
    assert_same,
    conv1_1,
    first_layers,
    keras_names,
    write_h5,
    write_mat,
    write_tfjs,
)


@pytest.mark.parametrize(
    "template",
    [
        "block{b}_conv{i}/block{b}_conv{i}_{W_1:0|b_1:0}",
        "block{b}_conv{i}/block{b}_conv{i}/{kernel:0|bias:0}",
        "model_weights/block{b}_conv{i}/block{b}_conv{i}/{kernel:0|bias:0}",
        "layers/block{b}_conv{i}/vars/{0|1}",
    ],
)
def test_keras_of_each_age(tmp_path, template):
    arrays = first_layers("conv1_1", "conv1_2", "conv2_1")
    weights = load(write_h5(tmp_path / "w", keras_names(arrays, template)), "vgg19")
    assert_same(weights, arrays)
    assert weights.preprocessing == OXFORD


def test_keras_3_counts_layers(tmp_path):
    arrays = first_layers("conv1_1", "conv1_2")
    names = ["layers/conv2d/vars/0", "layers/conv2d/vars/1"]
    names += ["layers/conv2d_1/vars/0", "layers/conv2d_1/vars/1"]
    path = write_h5(tmp_path / "w", dict(zip(names, arrays.values(), strict=True)))
    assert_same(load(path, "vgg19"), arrays)


def test_the_classifier_is_left_out(tmp_path):
    arrays = first_layers("conv1_1")
    named = keras_names(arrays, "block{b}_conv{i}/block{b}_conv{i}_{W_1:0|b_1:0}")
    named |= {"fc1/fc1_W_1:0": np.zeros((4, 4)), "predictions/predictions_b_1:0": np.zeros(4)}
    assert_same(load(write_h5(tmp_path / "w", named), "vgg19"), arrays)


@pytest.mark.parametrize("file", ["conv1_1_zip.pth", "conv1_1_legacy.pth"])
def test_pytorch_without_pytorch(file):
    weights = load(DATA / file, "vgg19")
    assert_same(weights, conv1_1())
    assert weights.preprocessing == TORCHVISION


def test_the_file_may_change_after_loading(tmp_path):
    path = tmp_path / "w"
    path.write_bytes((DATA / "conv1_1_legacy.pth").read_bytes())
    weights = load(path, "vgg19")
    with path.open("r+b") as file:
        file.write(bytes(path.stat().st_size))
    assert_same(weights, conv1_1())


def test_pytorch_checkpoint_in_bfloat16():
    weights = load(DATA / "conv1_1_checkpoint.pth", "vgg19")
    assert_same(weights, conv1_1())
    assert weights.preprocessing == OXFORD


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "bfloat16"])
def test_pytorch_parity(tmp_path, zipped, dtype):
    torch = pytest.importorskip("torch")
    arrays = first_layers("conv1_1", "conv1_2")
    state = {}
    for position, layer in ((0, "conv1_1"), (2, "conv1_2")):
        kernel = torch.from_numpy(arrays[f"{layer}.kernel"]).permute(3, 2, 0, 1)
        assert not kernel.is_contiguous()
        state[f"features.{position}.weight"] = torch.nn.Parameter(kernel.to(getattr(torch, dtype)))
        bias = torch.from_numpy(arrays[f"{layer}.bias"]).to(getattr(torch, dtype))
        state[f"features.{position}.bias"] = torch.cat([bias, bias])[len(bias) :]  # has an offset
    path = tmp_path / "w.pth"
    torch.save(state, path, _use_new_zipfile_serialization=zipped)
    loaded = torch.load(path)
    weights = load(path, "vgg19")
    for position, layer in ((0, "conv1_1"), (2, "conv1_2")):
        expected = loaded[f"features.{position}.weight"].detach().float().permute(2, 3, 1, 0)
        np.testing.assert_array_equal(weights.arrays[f"{layer}.kernel"], expected.numpy())
        expected = loaded[f"features.{position}.bias"].detach().float()
        np.testing.assert_array_equal(weights.arrays[f"{layer}.bias"], expected.numpy())


@pytest.mark.parametrize("compressed", [True, False])
@pytest.mark.parametrize("old", [True, False], ids=["filters and biases", "weights"])
def test_matconvnet_of_both_ages_becomes_bgr(tmp_path, old, compressed):
    arrays = conv1_1()
    path = write_mat(tmp_path / "w.mat", arrays, old, compressed=compressed)
    weights = load(path, "vgg19")
    assert weights.preprocessing == OXFORD
    assert_same(weights, arrays | {"conv1_1.kernel": arrays["conv1_1.kernel"][:, :, ::-1]})


def test_matconvnet_with_its_own_mean(tmp_path):
    arrays = conv1_1()
    weights = load(write_mat(tmp_path / "w.mat", arrays, False, (1.0, 2.0, 3.0)), "vgg19")
    assert weights.preprocessing.channels == "rgb"
    assert weights.preprocessing.mean == (1.0, 2.0, 3.0)
    assert_same(weights, arrays)


def test_tensorflow_js(tmp_path):
    arrays = conv1_1()
    folder = write_tfjs(tmp_path, arrays)
    assert_same(load(folder, "vgg19"), arrays)
    assert_same(load(folder / "model.json", "vgg19"), arrays)


def test_tensorflow_js_refuses(tmp_path):
    folder = write_tfjs(tmp_path / "quantized", conv1_1(), quantization={"scale": 1})
    with pytest.raises(UserError, match="quantized"):
        load(folder, "vgg19")
    folder = write_tfjs(tmp_path / "short", conv1_1())
    (folder / "shard2").write_bytes(b"")
    with pytest.raises(UserError, match="truncated"):
        load(folder, "vgg19")
    manifest = folder / "model.json"
    manifest.write_text(manifest.read_text().replace("shard1", "../shard1"))
    with pytest.raises(UserError, match="outside its folder"):
        load(folder, "vgg19")
    manifest.unlink()
    with pytest.raises(UserError, match=r"model\.json"):
        load(folder, "vgg19")


def test_canonical_round_trip(tmp_path):
    weights = make_weights("x", "vgg19", conv1_1(), TORCHVISION)
    save(tmp_path / "w.safetensors", weights, "a test")
    again = load(tmp_path / "w.safetensors", "vgg19")
    assert_same(again, conv1_1())
    assert again.sha256 == weights.sha256
    assert again.preprocessing == TORCHVISION
    assert again.layers() == ("conv1_1",)
    with pytest.raises(UserError, match=r"contains vgg19, but network\.arch is vgg16"):
        load(tmp_path / "w.safetensors", "vgg16")


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
def test_safetensors_under_foreign_names(tmp_path, dtype):
    ml_dtypes = pytest.importorskip("ml_dtypes")
    stored = ml_dtypes.bfloat16 if dtype == "bfloat16" else dtype
    oihw = conv1_1()["conv1_1.kernel"].transpose(3, 2, 0, 1)
    tensors = {
        "features.0.weight": np.ascontiguousarray(oihw).astype(stored),
        "features.0.bias": conv1_1()["conv1_1.bias"].astype(stored),
    }
    save_file(tensors, tmp_path / "w")
    weights = load(tmp_path / "w", "vgg19")
    assert_same(weights, conv1_1())
    assert weights.preprocessing == TORCHVISION


@pytest.mark.parametrize("order", [1, -1], ids=["bgr", "rgb"])
@pytest.mark.parametrize("arch", ["vgg16", "vgg19"])
def test_oxford_is_known_by_its_numbers_whatever_the_names(tmp_path, arch, order):
    """Johnson's vgg19-d01eb7cb.pth has torchvision's names but Oxford's numbers."""
    arrays = conv1_1()
    arrays["conv1_1.kernel"][0, 0, :, 0] = FIRST_FILTER[arch][::order]
    arrays["conv1_1.bias"][:5] = FIRST_BIASES[arch]
    oihw = np.ascontiguousarray(arrays["conv1_1.kernel"].transpose(3, 2, 0, 1))
    save_file({"features.0.weight": oihw, "features.0.bias": arrays["conv1_1.bias"]}, tmp_path / "w")
    weights = load(tmp_path / "w", arch)
    assert weights.preprocessing == OXFORD
    expected = arrays["conv1_1.kernel"][:, :, ::order]
    np.testing.assert_array_equal(weights.arrays["conv1_1.kernel"], expected)


def test_canonical_names_alone_are_taken_for_oxford_with_a_warning(tmp_path, caplog):
    save_file(conv1_1(), tmp_path / "w")
    assert load(tmp_path / "w", "vgg19").preprocessing == OXFORD
    assert "does not state its preprocessing" in caplog.text
