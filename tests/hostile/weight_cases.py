"""Hostile weight files by name: each case writes a file or folder at a path and returns it."""

import json
import os
import struct

import numpy as np

from tests.hostile.weight_damage import (
    KERAS,
    OXFORD,
    canonical,
    external_pipe,
    external_storage,
    folder_with_pipe,
    links_to_another_file,
    links_to_itself,
    manifest_is_pipe,
    mat,
    mat_layers,
    named,
    odd_h5_types,
    pickled,
    pipe,
    raw_safetensors,
    repeated_members,
    tfjs,
    tfjs_weight,
    virtual_dataset,
    write_safetensors,
)
from tests.weight_files import conv1_1, keras_names, mat_layer, write_h5, write_mat

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
