"""Formats that cannot be read: each is refused by its own name, with a way to go on."""

import pickle
import zipfile

import h5py
import numpy as np
import pytest
from safetensors.numpy import save_file

from nst_jax.errors import UserError
from nst_jax.weights import load
from tests.weight_files import conv1_1, keras_names, write_h5
from tests.weights.test_pickled import write_zip


def whole_model(path):
    torch = pytest.importorskip("torch")
    torch.save(torch.nn.Sequential(torch.nn.Conv2d(3, 64, 3)), path)


def whole_legacy_model(path):
    torch = pytest.importorskip("torch")
    model = torch.nn.Sequential(torch.nn.Conv2d(3, 64, 3))
    torch.save(model, path, _use_new_zipfile_serialization=False)


def own_class(path):
    write_zip(path, b"\x80\x02}X\x01\0\0\0aclightning.callbacks\nModelCheckpoint\n)\x81s.")


def torch_script(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("vgg/data.pkl", b"\x80\x02c__torch__.vgg\nVGG\n)\x81.")
        archive.writestr("vgg/code/__torch__/vgg.py", "def forward(self): pass")
        archive.writestr("vgg/constants.pkl", b"\x80\x02).")


def theano(path):
    kernel = conv1_1()["conv1_1.kernel"].transpose(3, 2, 0, 1)
    write_h5(path, {"block1_conv1/kernel:0": kernel, "block1_conv1/bias:0": np.zeros(64, "f4")})


def first_theano(path):
    kernel = conv1_1()["conv1_1.kernel"].transpose(3, 2, 0, 1)
    write_h5(path, {"layer_1/param_0": kernel, "layer_1/param_1": np.zeros(64, "f4")})


def theano_backend(path):
    write_h5(path, keras_names(conv1_1(), "block{b}_conv{i}/{kernel:0|bias:0}"))
    with h5py.File(path, "a") as file:
        file.attrs["backend"] = np.bytes_("theano")


def content(data):
    return lambda path: path.write_bytes(data)


LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 574673361\n"
REFUSED = {
    "whole model": ("w.pth", whole_model, r"whole pickled model.*torch\.save\(model\.state_dict\(\)"),
    "whole legacy model": ("w.pth", whole_legacy_model, r"whole pickled model.*model\.state_dict\(\)"),
    "an object of a library": ("w.ckpt", own_class, r"lightning\.callbacks\.ModelCheckpoint.*state_dict"),
    "TorchScript": ("w.pt", torch_script, r"TorchScript archive.*torch\.jit\.load\(FILE\)\.state_dict\(\)"),
    "Theano": ("w.h5", theano, r"Theano.*\(64, 3, 3, 3\).*tf_dim_ordering_tf_kernels_notop\.h5"),
    "Theano of 2015": ("w.h5", first_theano, r"Theano.*tf_dim_ordering_tf_kernels_notop\.h5"),
    "Theano's backend": ("w.h5", theano_backend, r"Theano.*tf_dim_ordering_tf_kernels_notop\.h5"),
    "ONNX": (
        "w.onnx",
        content(b"\x08\x07\x12\x07pytorch\x1a\x032.0:"),
        r"ONNX model.*numpy_helper\.to_array",
    ),
    "ONNX under another name": ("w", content(b"\x08\x07\x12\x07pytorch\x1a\x032.0:"), "ONNX model"),
    "Caffe": ("w.caffemodel", content(b"\x0a\x05other"), r"Caffe model.*weights fetch vgg19"),
    "Caffe under another name": ("w", content(b"\x0a\x14VGG_ILSVRC_19_layers"), "Caffe model"),
    "Caffe's description": ("w.prototxt", content(b'name: "VGG"'), "description of a Caffe model"),
    "LFS pointer": ("w.safetensors", content(LFS), "Git LFS pointer.*git lfs pull"),
    "Torch 7": ("w.t7", content(b"\x04\0\0\0\x01\0\0\0"), "Torch 7"),
    "TensorFlow checkpoint": (
        "vgg_19.ckpt",
        content(b"\0\0\x0a\x19"),
        r"TensorFlow checkpoint.*numpy\.savez",
    ),
    "frozen graph": ("w.pb", content(b"\x0a\x20\x0a\x05"), "frozen TensorFlow graph"),
    "plain pickle": ("w.pkl", content(pickle.dumps({"a": 1}, 4)), "Python pickle.*safetensors"),
    "tar.gz": ("w.tar.gz", content(b"\x1f\x8b\x08\0"), "compressed archive; unpack it"),
    "other zip": (
        "w.zip",
        lambda path: zipfile.ZipFile(path, "w").writestr("a", "b"),
        "a zip file, but not a",
    ),
    "one array": ("w.npy", lambda path: np.save(path, np.zeros(3)), "one array without names"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_other_formats_are_refused_by_name_with_a_way_to_go_on(tmp_path, name):
    file, write, message = REFUSED[name]
    path = tmp_path / file
    write(path)
    with pytest.raises(UserError, match=message) as error:
        load(path, "vgg19")
    assert "\n" not in str(error.value)
    assert " ... " not in str(error.value).replace(str(path), ""), "nothing of the advice is left out"


@pytest.mark.parametrize("inside", ["", "snapshots/0a1b2c"])
@pytest.mark.parametrize("file", ["model.safetensors", "model.weights.h5", "pytorch_model.bin"])
def test_folders_of_hubs_name_the_file_to_give(tmp_path, inside, file):
    folder = tmp_path / "vgg" / inside
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    save_file(conv1_1(), folder / file)
    with pytest.raises(UserError, match=f"folder of a model hub; give the file in it: {folder / file}$"):
        load(tmp_path / "vgg", "vgg19")


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("saved_model.pb", "SavedModel"),
        ("_METADATA", "Orbax"),
        ("config.json", "without a weight file"),
        ("other", r"neither model\.json"),
    ],
)
def test_other_folders(tmp_path, file, message):
    (tmp_path / file).write_text("{}")
    with pytest.raises(UserError, match=message):
        load(tmp_path, "vgg19")
