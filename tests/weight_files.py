"""Small networks with known numbers, and the formats they are written in by these tests."""

import os
from pathlib import Path

import numpy as np
import pytest

DATA = Path(__file__).parent / "data"
REFERENCE = Path(os.environ.get("NST_REFERENCE_DATA", Path(__file__).parents[1] / ".." / "shared" / "data"))


def conv1_1() -> dict[str, np.ndarray]:
    """The network of scripts/make_weight_fixtures.py."""
    oihw = (((np.arange(64 * 27) % 17) - 8) / 8).reshape(64, 3, 3, 3)
    return {
        "conv1_1.kernel": np.ascontiguousarray(oihw.transpose(2, 3, 1, 0), np.float32),
        "conv1_1.bias": (np.arange(64) / 64).astype(np.float32),
    }


def first_layers(*layers: str, arch: str = "vgg19") -> dict[str, np.ndarray]:
    """Layers of true shape with random numbers."""
    from nst_jax.weights.topology import kernel_shapes

    generator = np.random.default_rng(0)
    arrays = {}
    for layer in layers:
        shape = kernel_shapes(arch)[layer]
        arrays[f"{layer}.kernel"] = generator.standard_normal(shape, np.float32)
        arrays[f"{layer}.bias"] = generator.standard_normal(shape[-1:], np.float32)
    return arrays


def assert_same(weights, arrays) -> None:
    assert set(weights.arrays) == set(arrays)
    for name, array in arrays.items():
        np.testing.assert_array_equal(weights.arrays[name], array)
        assert weights.arrays[name].dtype == np.float32


def reference(name: str) -> Path:
    path = REFERENCE / "weights" / name
    if not path.exists():
        pytest.skip(f"no reference data: {path} is not there (NST_REFERENCE_DATA says where)")
    return path
