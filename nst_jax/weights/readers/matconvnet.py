"""MatConvNet .mat files, such as imagenet-vgg-verydeep-19.mat: HWIO, RGB, with their mean colour."""

from pathlib import Path
from typing import Any

import numpy as np

from nst_jax.networks.trained import Preprocessing
from nst_jax.weights.readers.contents import Contents, Skip, parsing, require_distinct
from nst_jax.weights.readers.matlab import read_variables

_OXFORD_MEAN = (123.68, 116.779, 103.939)
# In bytes, at 8 per number. Unless fc6 is requested, the lower limit skips its 800 MB.
_LARGEST_CONVOLUTION, _LARGEST = 1 << 26, 1 << 30


def read(path: Path, skip: Skip) -> Contents:
    """Read the convolutions in `layers` except those to `skip`, and the mean in `meta.normalization`."""
    largest = _LARGEST_CONVOLUTION if skip("fc6.kernel") else _LARGEST
    with parsing(path, "MatConvNet file"):
        variables = read_variables(path, ("layers", "meta", "normalization"), largest)
        layers = [layer for (layer,) in variables["layers"]]
        require_distinct([layer["name"] for layer in layers])
        tensors: dict[str, np.ndarray] = {}
        for layer in layers:
            name = layer["name"]
            if layer["type"] == "conv" and not skip(f"{name}.kernel"):
                kernel, bias = _weights(layer)
                tensors |= {f"{name}.kernel": kernel, f"{name}.bias": bias.reshape(-1)}
        return Contents(tensors, _preprocessing(variables), usual=_rgb(*_OXFORD_MEAN))


def _weights(layer: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """The kernel and the bias: from the cell `weights`, or in files of 2014 from `filters` and `biases`."""
    arrays = layer["weights"] if "weights" in layer else (layer["filters"], layer["biases"])
    kernel, bias = arrays[:2]
    if not (isinstance(kernel, np.ndarray) and isinstance(bias, np.ndarray)):
        raise TypeError(f"{layer['name']} has no numeric weights")
    return kernel, bias


def _preprocessing(variables: dict[str, Any]) -> Preprocessing | None:
    """Newer files store the mean as a colour, older ones as an image of that colour."""
    (holder,) = variables.get("meta") or [variables]
    (normalization,) = holder.get("normalization") or [{}]
    image = normalization.get("averageImage")
    if image is None or not image.size:
        return None
    mean = image.reshape(-1, 3, order="F").mean(0, np.float64)
    if np.allclose(mean, _OXFORD_MEAN, rtol=0, atol=0.01):
        mean = np.array(_OXFORD_MEAN)  # undo the rounding to float32
    return _rgb(*mean.tolist())


def _rgb(red: float, green: float, blue: float) -> Preprocessing:
    return Preprocessing("rgb", 255.0, (red, green, blue), (1.0, 1.0, 1.0))
