"""The less common formats, and those that are refused by their own name."""

import pickle
import zipfile

import numpy as np
import pytest
from safetensors.numpy import save_file

from nst_jax.errors import UserError
from nst_jax.weights import load
from nst_jax.weights.__main__ import main
from tests.weight_files import assert_same, conv1_1, first_layers, keras_names, write_h5, write_torch
from tests.weights.test_pickled import write_zip


def save_npy(path, layers, protocol=4):
    """As numpy.save writes a dictionary."""
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "|O", "fortran_order": False, "shape": ()})
        pickle.dump(np.array(layers, object), file, protocol)
    return path


def python_2_npy(path, kernel, bias):
    """vgg19.npy was written by Python 2: numbers are text, and the module of arrays has its old name."""

    def text(data):
        return b"T" + len(data).to_bytes(4, "little") + data

    def array(values):
        shape = b"(" + b"".join(b"M" + size.to_bytes(2, "little") for size in values.shape) + b"t"
        kind = b"cnumpy\ndtype\n(" + text(b"f4") + b"K\0K\1tR(K\3" + text(b"<") + b"NNNJ\xff\xff\xff\xff"
        kind += b"J\xff\xff\xff\xffK\0tb"
        empty = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\0t" + text(b"b") + b"tR"
        return empty + b"(K\1" + shape + kind + b"\x89" + text(values.tobytes()) + b"tb"

    layers = b"}" + text(b"conv1_1") + b"](" + array(kernel) + array(bias) + b"es"
    objects = b"cnumpy\ndtype\n(" + text(b"O8") + b"K\0K\1tR"
    outer = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\0t" + text(b"b") + b"tR"
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "|O", "fortran_order": False, "shape": ()})
        file.write(b"\x80\2" + outer + b"(K\1)" + objects + b"\x89](" + layers + b"etb.")
    return path


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("kind", [list, dict])
def test_a_pickled_dictionary_of_numpy(tmp_path, protocol, kind):
    arrays = first_layers("conv1_1", "conv1_2")
    layers = {
        layer: [arrays[f"{layer}.kernel"], np.asfortranarray(arrays[f"{layer}.bias"])]
        for layer in ("conv1_1", "conv1_2")
    }
    layers["fc6"] = [np.zeros((4, 2), "f4"), np.zeros(2, "f4")]
    if kind is dict:
        layers = {name: {"weights": each[0], "biases": each[1]} for name, each in layers.items()}
    assert_same(load(save_npy(tmp_path / "w.npy", layers, protocol), "vgg19"), arrays)


def test_vgg19_npy_of_python_2(tmp_path):
    arrays = conv1_1()
    path = python_2_npy(tmp_path / "vgg19.npy", arrays["conv1_1.kernel"], arrays["conv1_1.bias"])
    expected = np.load(path, allow_pickle=True, encoding="latin1").item()["conv1_1"]
    np.testing.assert_array_equal(expected[0], arrays["conv1_1.kernel"])  # the file is as NumPy reads it
    assert_same(load(path, "vgg19"), arrays)


def test_fortran_order_and_big_endian_arrays(tmp_path):
    arrays = conv1_1()
    kernel = np.asfortranarray(arrays["conv1_1.kernel"].astype(">f8"))
    path = save_npy(tmp_path / "w.npy", {"conv1_1": [kernel, arrays["conv1_1.bias"].astype(">f4")]})
    assert_same(load(path, "vgg19"), arrays)


@pytest.mark.parametrize("write", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("template", ["conv{b}_{i}_{W|b}", "block{b}_conv{i}/{kernel|bias}"])
def test_npz(tmp_path, write, template):
    arrays = first_layers("conv1_1", "conv1_2")
    write(tmp_path / "w.npz", **keras_names(arrays, template), fc6_W=np.zeros((3, 3)), fc6_b=np.zeros(3))
    assert_same(load(tmp_path / "w.npz", "vgg19"), arrays)


@pytest.mark.parametrize(
    "template", ["layers/block{b}_conv{i}/vars/{0|1}", "block{b}_conv{i}/{kernel:0|bias:0}"]
)
@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_keras_archives(tmp_path, template, compression):
    arrays = first_layers("conv1_1", "conv1_2")
    stored = keras_names(arrays, template) | {
        "optimizer/vars/3": np.zeros(4),
        "layers/dense/vars/0": np.zeros(4),
    }
    inside = write_h5(tmp_path / "inside", stored)
    with zipfile.ZipFile(tmp_path / "w.keras", "w", compression) as archive:
        archive.writestr("config.json", "{}")
        archive.write(inside, "model.weights.h5")
    assert_same(load(tmp_path / "w.keras", "vgg19"), arrays)


def test_flaxmodels(tmp_path):
    arrays = first_layers("conv1_1", "conv1_2")
    stored = {name.replace(".kernel", "/weight").replace(".bias", "/bias"): a for name, a in arrays.items()}
    stored |= {"fc6/weight": np.zeros((4, 2)), "fc6/bias": np.zeros(2)}
    assert_same(load(write_h5(tmp_path / "w", stored), "vgg19"), arrays)


@pytest.mark.parametrize("names", [("conv1_1", "conv1_2"), ("Conv_0", "Conv_1")])
@pytest.mark.parametrize("outer", [(), ("params",), ("params", "VGG_0")])
def test_flax_msgpack(tmp_path, names, outer):
    from flax.serialization import msgpack_serialize

    arrays = first_layers("conv1_1", "conv1_2")
    tree = {
        name: {part: arrays[f"{layer}.{part}"] for part in ("kernel", "bias")}
        for name, layer in zip(names, ("conv1_1", "conv1_2"), strict=True)
    }
    tree["Dense_0" if outer else "fc6"] = {"kernel": np.zeros((4, 2), "f4")}
    for key in outer[::-1]:
        tree = {key: tree}
    (tmp_path / "w.msgpack").write_bytes(msgpack_serialize(tree))
    assert_same(load(tmp_path / "w.msgpack", "vgg19"), arrays)


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
    import h5py

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


@pytest.mark.parametrize("command", ["show", "convert"])
@pytest.mark.parametrize("name", ["nothing.pth", "no/such/vgg19"])
def test_a_missing_file_is_not_called_a_network(tmp_path, capsys, monkeypatch, command, name):
    monkeypatch.chdir(tmp_path)
    assert main([command, name]) == 2
    printed = capsys.readouterr().err
    assert "unknown" not in printed
    assert name in printed
    assert "no file" in printed or "No such file" in printed


@pytest.mark.parametrize("command", ["show", "convert"])
def test_a_loop_of_links_is_refused_in_a_line(tmp_path, capsys, command):
    loop = tmp_path / "loop.pth"
    loop.symlink_to(loop.name)
    assert main([command, str(loop)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: cannot read {loop}: ")


def test_convert_takes_the_new_formats(tmp_path):
    arrays = conv1_1()
    state = {"net.features.0.weight": arrays["conv1_1.kernel"].transpose(3, 2, 0, 1)}
    state |= {"net.features.0.bias": arrays["conv1_1.bias"]}
    out = tmp_path / "out.safetensors"
    assert main(["convert", str(write_torch(tmp_path / "w.pth", state)), f"--out={out}"]) == 0
    assert_same(load(out, "vgg19"), arrays)
