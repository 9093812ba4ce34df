"""Hostile weight files, one function per case: each writes a file or folder at a path and returns it."""

import json
import os
import pickle
import struct
import warnings
import zipfile
from pathlib import Path

import h5py
import numpy as np
import safetensors.numpy
import scipy.io

from tests.weight_files import conv1_1, keras_names, mat_layer, write_h5, write_mat, write_tfjs

KERAS = "block{b}_conv{i}/{kernel:0|bias:0}"
OXFORD = {"channels": "bgr", "scale": 255.0, "mean": [1.0, 2.0, 3.0], "std": [1.0, 1.0, 1.0]}


def write_safetensors(path: Path, arrays=None, **metadata: str) -> Path:
    safetensors.numpy.save_file(conv1_1() if arrays is None else arrays, path, metadata or None)
    return path


def canonical(path: Path, **preprocessing: object) -> Path:
    about = {"format": "nst_jax.weights", "version": "1", "arch": "vgg19", "source": "a test"}
    return write_safetensors(path, **about, preprocessing=json.dumps(OXFORD | preprocessing))


def raw_safetensors(path: Path, header: bytes, data: bytes = b"") -> Path:
    path.write_bytes(struct.pack("<Q", len(header)) + header + data)
    return path


def external_storage(path: Path) -> Path:
    secret = path.with_name("secret")
    secret.write_bytes(conv1_1()["conv1_1.kernel"].tobytes())
    with h5py.File(path, "w") as file:
        shape = conv1_1()["conv1_1.kernel"].shape
        file.create_dataset(
            "block1_conv1/kernel:0", shape, np.float32, external=[(str(secret), 0, h5py.h5f.UNLIMITED)]
        )
        file["block1_conv1/bias:0"] = conv1_1()["conv1_1.bias"]
    return path


def virtual_dataset(path: Path) -> Path:
    other = write_h5(path.with_name("other"), keras_names(conv1_1(), KERAS))
    kernel = conv1_1()["conv1_1.kernel"]
    layout = h5py.VirtualLayout(kernel.shape, np.float32)
    layout[...] = h5py.VirtualSource(str(other), "block1_conv1/kernel:0", kernel.shape)
    with h5py.File(path, "w") as file:
        file.create_virtual_dataset("block1_conv1/kernel:0", layout)
        file["block1_conv1/bias:0"] = conv1_1()["conv1_1.bias"]
    return path


def links_to_another_file(path: Path) -> Path:
    other = write_h5(path.with_name("other"), keras_names(conv1_1(), KERAS))
    with h5py.File(path, "w") as file:
        file["block1_conv1"] = h5py.ExternalLink(str(other), "/block1_conv1")
    return path


def links_to_itself(path: Path) -> Path:
    with h5py.File(path, "w") as file:
        file["a"] = h5py.SoftLink("/a")
        file.create_group("b")["c"] = file["/"]
    return path


def external_pipe(path: Path) -> Path:
    pipe = path.with_name("pipe")
    os.mkfifo(pipe)
    with h5py.File(path, "w") as file:
        file.create_dataset(
            "block1_conv1/kernel:0", (3, 3, 3, 64), np.float32, external=[(str(pipe), 0, 6912)]
        )
    return path


def odd_h5_types(path: Path) -> Path:
    with h5py.File(path, "w") as file:
        file["block1_conv1/kernel:0"] = np.array([b"text"], object).astype("S4")
        file["block1_conv1/bias:0"] = h5py.Empty("f4")
        file["a"] = np.array([(1, 2)], [("x", "f4"), ("y", "i4")])
    return path


def pipe(path: Path) -> Path:
    os.mkfifo(path)
    return path


def folder_with_pipe(path: Path) -> Path:
    write_tfjs(path, conv1_1())
    (path / "shard1").unlink()
    os.mkfifo(path / "shard1")
    return path


def manifest_is_pipe(path: Path) -> Path:
    path.mkdir()
    os.mkfifo(path / "model.json")
    return path


def tfjs(path: Path, manifest: object) -> Path:
    path.mkdir()
    (path / "model.json").write_text(manifest if isinstance(manifest, str) else json.dumps(manifest))
    return path


def tfjs_weight(path: Path, **changes: object) -> Path:
    weight = {"name": "block1_conv1/kernel", "shape": [3, 3, 3, 64], "dtype": "float32"} | changes
    return tfjs(path, [{"paths": ["shard"], "weights": [weight]}])


def mat(path: Path, **variables: object) -> Path:
    scipy.io.savemat(path, variables)
    return path


def mat_layers(path: Path, *layers: dict, **variables: object) -> Path:
    cells = np.empty((1, len(layers)), object)
    for index, layer in enumerate(layers):
        cells[0, index] = layer
    return mat(path, layers=cells, **variables)


def pickled(path: Path, value: object) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/data.pkl", value if isinstance(value, bytes) else pickle.dumps(value, 2))
        archive.writestr("a/version", "3\n")
    return path


def repeated_members(path: Path) -> Path:
    with zipfile.ZipFile(path, "w") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # zipfile warns of the second one
        for _ in range(2):
            archive.writestr("a/data.pkl", pickle.dumps({}, 2))
    return path


def named(path: Path, name: str) -> Path:
    return write_safetensors(path, {name: conv1_1()["conv1_1.kernel"], "conv1_1.bias": np.zeros(64, "f4")})


KERNEL = conv1_1()["conv1_1.kernel"]
NAN_MEAN = (float("nan"),) * 3
CASES = {
    "h5: external storage": external_storage,
    "h5: virtual dataset": virtual_dataset,
    "h5: link to another file": links_to_another_file,
    "h5: link to itself": links_to_itself,
    "h5: external pipe": external_pipe,
    "h5: odd types": odd_h5_types,
    "h5: empty": lambda path: write_h5(path, {}),
    "h5: infinite": lambda path: write_h5(path, keras_names({"conv1_1.kernel": KERNEL + np.inf}, KERAS)),
    "a pipe": pipe,
    "tfjs: a pipe": folder_with_pipe,
    "tfjs: manifest is a pipe": manifest_is_pipe,
    "tfjs: an empty folder": lambda path: (path.mkdir(), path)[1],
    "tfjs: name is a number": lambda path: tfjs_weight(path, name=3),
    "tfjs: name is null": lambda path: tfjs_weight(path, name=None),
    "tfjs: shape is text": lambda path: tfjs_weight(path, shape="3"),
    "tfjs: negative shape": lambda path: tfjs_weight(path, shape=[-3, 3, 3, 64]),
    "tfjs: huge shape": lambda path: tfjs_weight(path, shape=[10**30, 10**30]),
    "tfjs: shape of floats": lambda path: tfjs_weight(path, shape=[1.5, 2]),
    "tfjs: dtype is a list": lambda path: tfjs_weight(path, dtype=["float32"]),
    "tfjs: quantized by text": lambda path: tfjs_weight(path, quantization="uint8"),
    "tfjs: group is a number": lambda path: tfjs(path, [3]),
    "tfjs: groups are an object": lambda path: tfjs(path, {"weightsManifest": {"a": 1}}),
    "tfjs: paths are numbers": lambda path: tfjs(path, [{"paths": [1], "weights": []}]),
    "tfjs: shard outside": lambda path: tfjs(
        path,
        [
            {
                "paths": ["../secret"],
                "weights": [{"name": "block1_conv1/kernel", "shape": [1], "dtype": "float32"}],
            }
        ],
    ),
    "tfjs: deep": lambda path: tfjs(path, "[" * 10_000 + "]" * 10_000),
    "tfjs: a long integer": lambda path: tfjs(path, '[{"paths": [], "weights": [' + "9" * 5000 + "]}]"),
    "tfjs: not UTF-8": lambda path: tfjs(path, "[").joinpath("model.json").write_bytes(b"[\xff]") and path,
    "safetensors: mean NaN": lambda path: canonical(path, mean=list(NAN_MEAN)),
    "safetensors: mean infinite": lambda path: canonical(path, mean=[float("inf"), 0, 0]),
    "safetensors: mean beyond float32": lambda path: canonical(path, mean=[1e39, 0, 0]),
    "safetensors: mean of integers too large": lambda path: canonical(path, mean=[10**400, 0, 0]),
    "safetensors: scale 0": lambda path: canonical(path, scale=0),
    "safetensors: scale NaN": lambda path: canonical(path, scale=float("nan")),
    "safetensors: std 0": lambda path: canonical(path, std=[0, 1, 1]),
    "safetensors: std negative": lambda path: canonical(path, std=[-1, 1, 1]),
    "safetensors: channels": lambda path: canonical(path, channels=3),
    "safetensors: preprocessing of text": lambda path: canonical(path, mean="123", std=None),
    "safetensors: width 0": lambda path: write_safetensors(
        path, {"conv1_1.kernel": np.zeros((3, 3, 3, 0), "f4"), "conv1_1.bias": np.zeros(0, "f4")}
    ),
    "safetensors: integers": lambda path: write_safetensors(
        path, {"conv1_1.kernel": np.zeros((3, 3, 3, 64), "i4"), "conv1_1.bias": np.zeros(64, "f4")}
    ),
    "safetensors: an unknown architecture": lambda path: write_safetensors(
        path, format="nst_jax.weights", version="1", arch="x\n\x1b[31m", preprocessing=json.dumps(OXFORD)
    ),
    "safetensors: header of nothing": lambda path: raw_safetensors(path, b""),
    "safetensors: header of a list": lambda path: raw_safetensors(path, b"[]"),
    "safetensors: deep header": lambda path: raw_safetensors(path, b'{"a":' * 10_000 + b"1" + b"}" * 10_000),
    "safetensors: a name twice": lambda path: raw_safetensors(
        path,
        b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},'
        b'"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}',
        bytes(4),
    ),
    "safetensors: offsets beyond the end": lambda path: raw_safetensors(
        path, b'{"a":{"dtype":"F32","shape":[9],"data_offsets":[0,36]}}', bytes(4)
    ),
    "safetensors: a long header": lambda path: (path.write_bytes(struct.pack("<Q", 2**62) + b"{}"), path)[1],
    "safetensors: a name with escapes": lambda path: named(path, "a\x1b[31m\r\nb"),
    "safetensors: a name of 100,000 letters": lambda path: named(path, "x" * 100_000),
    "safetensors: a name of 100,000 newlines": lambda path: named(path, "\n" * 100_000),
    "safetensors: a name of direction marks": lambda path: named(path, "\u202e\u2066abc"),
    "mat: average image NaN": lambda path: write_mat(path, conv1_1(), True, NAN_MEAN),
    "mat: average image infinite": lambda path: write_mat(path, conv1_1(), False, (float("inf"), 0, 0)),
    "mat: text for layers": lambda path: mat(path, layers="conv"),
    "mat: numbers for layers": lambda path: mat(path, layers=np.eye(3)),
    "mat: no layers": lambda path: mat(path, x=1),
    "mat: text for meta": lambda path: mat_layers(path, mat_layer("conv1_1", "relu"), meta="x"),
    "mat: numbers for meta": lambda path: mat_layers(path, mat_layer("a", "relu"), meta=np.eye(3)),
    "mat: text for the average": lambda path: mat_layers(
        path,
        mat_layer("conv1_1", "conv", filters=KERNEL, biases=np.zeros((1, 64))),
        normalization={"averageImage": "gray"},
    ),
    "mat: name is a number": lambda path: mat_layers(path, mat_layer(3, "conv")),
    "mat: type is missing": lambda path: mat_layers(path, {"name": "conv1_1"}),
    "mat: weights are text": lambda path: mat_layers(path, mat_layer("conv1_1", "conv", weights="x")),
    "mat: weights are missing": lambda path: mat_layers(path, mat_layer("conv1_1", "conv")),
    "mat: complex": lambda path: mat_layers(
        path, mat_layer("conv1_1", "conv", filters=KERNEL * 1j, biases=np.zeros((1, 64)))
    ),
    "mat: a layer twice": lambda path: mat_layers(
        path, *[mat_layer("conv1_1", "conv", filters=KERNEL, biases=np.zeros((1, 64)))] * 2
    ),
    "torch: runs os.system": lambda path: pickled(
        path, b"cos\nsystem\n(S'touch " + str(path).encode() + b".ran'\ntR."
    ),
    "torch: a list": lambda path: pickled(path, [1, 2]),
    "torch: a number": lambda path: pickled(path, 3),
    "torch: nothing": lambda path: pickled(path, {}),
    "torch: names are numbers": lambda path: pickled(path, {1: 2}),
    "torch: deep": lambda path: pickled(path, b"(" * 100_000 + b"l" * 100_000 + b"."),
    "torch: a long integer": lambda path: pickled(path, b"\x8b\xff\xff\xff\x7f" + bytes(10) + b"."),
    "torch: members twice": repeated_members,
    "an enormous sparse file": lambda path: (path.touch(), os.truncate(path, 1 << 40), path)[2],
    "an empty file": lambda path: (path.touch(), path)[1],
    "a link to nothing": lambda path: (path.symlink_to("nothing"), path)[1],
    "a link to itself": lambda path: (path.symlink_to(path.name), path)[1],
    "zeros without end": lambda path: (path.symlink_to("/dev/zero"), path)[1],
}
