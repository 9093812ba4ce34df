"""The less common formats: files of NumPy, Keras archives, Flax."""

import pickle
import zipfile

import numpy as np
import pytest

from nst_jax.weights import load
from nst_jax.weights.__main__ import main
from tests.weight_files import assert_same, conv1_1, first_layers, keras_names, write_h5, write_torch


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


@pytest.mark.parametrize("command", ["show", "convert"])
@pytest.mark.parametrize("name", ["nothing.pth", "no/such/vgg19"])
def test_a_missing_file_is_not_called_a_network(tmp_path, capsys, monkeypatch, command, name):
    monkeypatch.chdir(tmp_path)
    assert main(["weights", command, name]) == 2
    printed = capsys.readouterr().err
    assert "unknown" not in printed
    assert name in printed
    assert "no file" in printed or "No such file" in printed


@pytest.mark.parametrize("command", ["show", "convert"])
def test_a_loop_of_links_is_refused_in_a_line(tmp_path, capsys, command):
    loop = tmp_path / "loop.pth"
    loop.symlink_to(loop.name)
    assert main(["weights", command, str(loop)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: cannot read {loop}: ")


def test_convert_takes_the_new_formats(tmp_path):
    arrays = conv1_1()
    state = {"net.features.0.weight": arrays["conv1_1.kernel"].transpose(3, 2, 0, 1)}
    state |= {"net.features.0.bias": arrays["conv1_1.bias"]}
    out = tmp_path / "out.safetensors"
    assert main(["weights", "convert", str(write_torch(tmp_path / "w.pth", state)), f"--out={out}"]) == 0
    assert_same(load(out, "vgg19"), arrays)
