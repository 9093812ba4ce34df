"""Whole VGG files, classifier included, as narrow as can be, in the layouts of their families."""

import h5py
import numpy as np
import scipy.io

CONVS = (2, 2, 4, 4, 4)  # per block: VGG-19's, and so slim's
WIDTHS, HIDDEN, CLASSES = (4, 6, 8, 8, 8), (12, 10), 5
FC = {"classifier.0": "fc6", "classifier.3": "fc7", "classifier.6": "fc8"}
KERAS = {"fc6": "fc1", "fc7": "fc2", "fc8": "predictions"}
MEAN_RGB = np.float32([123.68, 116.779, 103.939])


def state_dict() -> dict[str, np.ndarray]:
    """Random numbers under torchvision's names, in its layout."""
    generator = np.random.default_rng(3)

    def layer(*shape: int) -> tuple[np.ndarray, np.ndarray]:
        scale = np.sqrt(2 / np.prod(shape[1:]))
        weight = generator.standard_normal(shape, np.float32) * np.float32(scale)
        return weight, generator.standard_normal(shape[:1], np.float32) / 4

    layers, before = {}, 3
    for name, conv in conv_positions().items():
        width = WIDTHS[int(conv[4]) - 1]
        layers[name] = layer(width, before, 3, 3)
        before = width
    before *= 7 * 7
    for name, width in zip(FC, (*HIDDEN, CLASSES), strict=True):
        layers[name] = layer(width, before)
        before = width
    return {
        f"{name}.{part}": array
        for name, both in layers.items()
        for part, array in zip(("weight", "bias"), both, strict=True)
    }


def conv_positions() -> dict[str, str]:
    """`features.0` -> `conv1_1`, ...: a ReLU follows each convolution, a pooling each block."""
    positions, position = {}, 0
    for block, count in enumerate(CONVS, 1):
        for index in range(1, count + 1):
            positions[f"features.{position}"] = f"conv{block}_{index}"
            position += 2
        position += 1
    return positions


def height_width_first(state: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Our layer names; all kernels as convolutions, height, width, in, out: fc6 is 7x7, fc7 and fc8 1x1."""
    arrays = {}
    for name, ours in (conv_positions() | FC).items():
        weight = state[f"{name}.weight"]
        if weight.ndim == 2:
            side = 7 if ours == "fc6" else 1
            weight = weight.reshape(len(weight), -1, side, side)
        arrays[f"{ours}.kernel"] = np.ascontiguousarray(weight.transpose(2, 3, 1, 0))
        arrays[f"{ours}.bias"] = state[f"{name}.bias"]
    return arrays


def canonical(state: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Kernels of the classifier with two dimensions, as Keras has them behind its Flatten."""
    arrays = height_width_first(state)
    return {
        name: array.reshape(-1, array.shape[-1]) if name.startswith("fc") and array.ndim == 4 else array
        for name, array in arrays.items()
    }


def write_keras(path, state, first="{0}/{0}_W_1:0", second="{0}/{0}_b_1:0"):
    with h5py.File(path, "w") as file:
        for name, array in canonical(state).items():
            layer, part = name.split(".")
            stored = KERAS.get(layer) or f"block{layer[4]}_conv{layer[6]}"
            file[(first if part == "kernel" else second).format(stored)] = array
    return path


def write_matconvnet(path, state):
    arrays = height_width_first(state)
    names = list(dict.fromkeys(name.split(".")[0] for name in arrays))
    layers = np.empty((1, len(names)), object)
    for i, name in enumerate(names):
        cell = np.empty((1, 2), object)
        cell[0, 0], cell[0, 1] = arrays[f"{name}.kernel"], arrays[f"{name}.bias"][:, None]
        layers[0, i] = {"name": name, "type": "conv", "weights": cell}
    meta = {"normalization": {"averageImage": MEAN_RGB.reshape(1, 1, 3)}}
    scipy.io.savemat(path, {"layers": layers, "meta": meta})
    return path
