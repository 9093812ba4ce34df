"""Writers of hostile weight files: each writes a file or folder at a path and returns it."""

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

from tests.weight_files import conv1_1, keras_names, write_h5, write_tfjs

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
