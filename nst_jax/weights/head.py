"""Load VGG's classifier, the fully connected layers fc6, fc7 and fc8, from full weight files.

In the canonical arrays, "fc6.kernel" is (inputs, outputs) float32. Its inputs are pool5 flattened in the
order height, width, channel, as in Keras. PyTorch uses the order channel, height, width; MatConvNet stores
the layers as convolutions of 7x7 and 1x1.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np

from nst_jax.errors import UserError
from nst_jax.networks.architectures import architecture
from nst_jax.networks.classifier import GRID, HEAD_LAYERS, ClassifierWeights
from nst_jax.networks.trained import array_digest
from nst_jax.weights import registry
from nst_jax.weights.checks import finite_float32
from nst_jax.weights.loading import displayed_name, read_contents
from nst_jax.weights.naming import classifier_name, shortened
from nst_jax.weights.resolving import SPECIAL_NAMES

HIDDEN = 4096  # outputs of fc6 and fc7

# Their inputs are channel, height, width; except flaxmodels', their kernels are (outputs, inputs).
_TORCH = ("caffe", "torchvision", "timm", "flaxmodels")


def load_classifier(path: str | os.PathLike[str], arch: str) -> ClassifierWeights:
    """Read fc6, fc7 and fc8 from a full weight file of any supported format, with strict checks.

    For VGG-16 and VGG-19 the widths must be the published ones; the number of classes may differ.

    Raises:
        UserError: `path` is not a file but a name, or the file has no classifier that fits `arch`.
    """
    file = Path(path)
    head = architecture(arch).head
    if head is None or not head.dense:
        layer = f"the classifier of {arch} is its layer {head.layer}" if head else f"{arch} has no classifier"
        raise UserError(f"{file}: {layer}; there are no fully connected layers to read")
    if str(path) in (*SPECIAL_NAMES, *registry.REGISTRY):
        raise UserError(
            f"network.weights: {path} has no classifier; give the path of a full VGG file: Keras .h5, "
            "PyTorch .pth or MatConvNet .mat"
        )
    contents = read_contents(file, skip=lambda name: classifier_name(name) is None)
    if contents.arch not in (None, arch):
        raise UserError(f"{file}: contains {contents.arch}, but network.arch is {arch}")
    arrays = _canonical(str(file), contents.tensors)
    _check_shapes(str(file), arch, arrays)
    # They are shared by all programs that are built from them.
    for array in arrays.values():
        array.flags.writeable = False
    classes = arrays["fc8.bias"].size
    return ClassifierWeights(displayed_name(file), MappingProxyType(arrays), array_digest(arrays), classes)


def _canonical(file: str, tensors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Convert the file's names and layouts to the canonical ones; all six arrays are required."""
    arrays: dict[str, np.ndarray] = {}
    for stored, array in tensors.items():
        family, name = classifier_name(stored) or ("", stored)
        if name in arrays:
            raise UserError(f"{file}: contains {name} twice, the second time as {stored!r}")
        stored_as_torch = array.T if family == "flaxmodels" else array
        laid_out = _inputs_first(file, name, stored_as_torch) if family in _TORCH else array
        arrays[name] = finite_float32(file, name, laid_out)
        side = GRID if name == "fc6.kernel" else 1
        if laid_out.ndim == 4 and laid_out.shape[:2] == (side, side):
            arrays[name] = arrays[name].reshape(-1, laid_out.shape[-1])
    if not arrays:
        raise UserError(f"{file}: contains no classifier (layers {', '.join(HEAD_LAYERS)})")
    missing = [f"{layer}.{part}" for layer in HEAD_LAYERS for part in ("kernel", "bias")]
    if missing := [name for name in missing if name not in arrays]:
        raise UserError(f"{file}: arrays missing in the classifier: {shortened(missing)}")
    return arrays


def _inputs_first(file: str, name: str, kernel: np.ndarray) -> np.ndarray:
    """A view of (outputs, inputs) with the outputs last, and fc6's inputs as height, width, channel."""
    if kernel.ndim == 4:  # timm's are convolutions
        return kernel.transpose(2, 3, 1, 0)
    if name != "fc6.kernel":
        return kernel.T
    if kernel.ndim != 2 or kernel.shape[1] % GRID**2:
        needed = f"{GRID} x {GRID} x channels inputs"
        raise UserError(f"{file}: {name} is {kernel.shape[::-1]}, but must have {needed}")
    return kernel.reshape(len(kernel), -1, GRID, GRID).transpose(2, 3, 1, 0)


def _check_shapes(file: str, arch: str, arrays: Mapping[str, np.ndarray]) -> None:
    """Check that the layers fit together; widths that `arch` does not fix are the lengths of the biases."""
    width = architecture(arch).layers[-2].channels  # of the last convolution; the last layer is a pooling
    stored = arrays["fc6.kernel"].size // (GRID**2 * max(1, arrays["fc6.bias"].size))
    inputs = GRID**2 * (width or stored)
    faults = []
    for layer in HEAD_LAYERS:
        outputs = HIDDEN if width and layer != "fc8" else arrays[f"{layer}.bias"].size
        for part, shape in (("kernel", (inputs, outputs)), ("bias", (outputs,))):
            if arrays[f"{layer}.{part}"].shape != shape:
                faults.append(f"{layer}.{part} is {arrays[f'{layer}.{part}'].shape}, not {shape}")
        inputs = outputs
    if faults:
        raise UserError(f"{file}: wrong shapes for the classifier of {arch}: {shortened(faults, 3)}")
