"""A trained network as data: named float32 arrays, and the preprocessing of its input."""

import dataclasses
import hashlib
from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from nst_jax.networks.architectures import architecture


@dataclasses.dataclass(frozen=True)
class Preprocessing:
    """How [0,1] RGB becomes the first layer's input: (x[..., order] * scale - mean) / std.

    `mean` and `std` are in the network's own channel order, after scaling.
    """

    channels: str  # "rgb" or "bgr": the order the first kernel expects
    scale: float  # 255.0 for Oxford (Caffe), 1.0 for torchvision
    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    def mean_color(self) -> np.ndarray:
        """The mean colour of the training images, RGB in [0,1]."""
        color = np.array(self.mean, np.float32) / np.float32(self.scale)
        return color[::-1] if self.channels == "bgr" else color


def reversed_channels(preprocessing: Preprocessing) -> Preprocessing:
    """The same for a network whose first kernel has its input channels in the other order."""
    return dataclasses.replace(
        preprocessing,
        channels=preprocessing.channels[::-1],
        mean=preprocessing.mean[::-1],
        std=preprocessing.std[::-1],
    )


# The mean colour of the training pictures; in BGR, as Caffe reads pictures.
OXFORD = Preprocessing("bgr", 255.0, (103.939, 116.779, 123.68), (1.0, 1.0, 1.0))
CAFFE = Preprocessing("bgr", 255.0, (104.0, 117.0, 123.0), (1.0, 1.0, 1.0))  # of its model zoo
# Mean and standard deviation over ImageNet, for pixels in [0,1].
TORCHVISION = Preprocessing("rgb", 1.0, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
PREPROCESSINGS = {
    "oxford": OXFORD,
    "oxford-rgb": reversed_channels(OXFORD),
    "caffe": CAFFE,
    "torchvision": TORCHVISION,
}


@dataclasses.dataclass(frozen=True)
class Weights:
    """A network's convolutions: "conv1_1.kernel" is HWIO float32, "conv1_1.bias" has length O.

    Layers of several convolutions name them too, such as "fire2.squeeze1x1.kernel".
    """

    name: str  # as shown in run.json and in the last line of output
    arch: str
    arrays: Mapping[str, np.ndarray]
    preprocessing: Preprocessing
    sha256: str  # of the arrays, so that it does not depend on the file format

    def layers(self) -> tuple[str, ...]:
        """The layers that these weights include with all their convolutions, in network order."""
        return tuple(
            layer.name
            for layer in architecture(self.arch).layers
            if layer.weighted and all(f"{c.name}.kernel" in self.arrays for c in layer.convolutions())
        )


def make_weights(
    name: str, arch: str, arrays: Mapping[str, np.ndarray], preprocessing: Preprocessing
) -> Weights:
    """Make read-only `Weights` from checked arrays with canonical names, and compute their digest."""
    frozen = {}
    for key in sorted(arrays):
        frozen[key] = np.ascontiguousarray(arrays[key], dtype="<f4").view()
        # Runs of a sweep share them, and the digest must stay true.
        frozen[key].flags.writeable = False
    return Weights(name, arch, MappingProxyType(frozen), preprocessing, array_digest(frozen))


def array_digest(arrays: Mapping[str, np.ndarray]) -> str:
    """SHA-256 of the name, shape and little-endian float32 bytes of each array, sorted by name."""
    total = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name], dtype="<f4")
        total.update(f"{name}:{array.shape}:".encode())
        total.update(array.data)
    return total.hexdigest()
