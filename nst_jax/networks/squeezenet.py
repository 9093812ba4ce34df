"""SqueezeNet (Iandola et al. 2016, arXiv 1602.07360): fire modules, and class scores from conv10.

The layers are conv1, the fire modules fire2 to fire9, conv10 and the poolings; `fireN` is the concatenated
output of its two expanding convolutions. conv10 has a map of each class, and its means are the class scores.
Poolings are 3x3 with stride 2, and keep an incomplete last window. SqueezeNet was trained with max pooling.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import jax.numpy as jnp
from jax import Array

from nst_jax.networks.layers import Architecture, Filters, Head, Layer, Relu

SQUEEZED = (16, 16, 32, 32, 48, 48, 64, 64)  # filters of fire2 to fire9 ...
EXPANDED = (64, 64, 128, 128, 192, 192, 256, 256)  # ... and of each of their two expanding convolutions
CLASSES = 1000  # of ImageNet


def fire(convolutions: Sequence[Any], x: Array, relu: Relu, last_relu: Relu) -> Array:
    """Squeeze to few channels, expand by 1x1 and by 3x3 filters, and concatenate (section 3.1)."""
    squeeze, *expanding = convolutions
    squeezed = squeeze(x, relu)
    return jnp.concatenate([expand(squeezed, last_relu) for expand in expanding], axis=-1)


def _fire(name: str, squeezed: int, expanded: int) -> Layer:
    filters = (
        Filters(f"{name}.squeeze1x1", 1, squeezed),
        Filters(f"{name}.expand1x1", 1, expanded, squeezed),
        Filters(f"{name}.expand3x3", 3, expanded, squeezed, padding=1),
    )
    return Layer(name, kernel=3, padding=1, weighted=True, channels=2 * expanded, filters=filters, block=fire)


def _squeezenet(name: str, conv1: Layer, pooled: Sequence[int]) -> Architecture:
    """SqueezeNet with a pooling after each of the layers numbered in `pooled`."""
    modules = zip(range(2, 10), SQUEEZED, EXPANDED, strict=True)
    layers = []
    positions: dict[str, str] = {}  # in torchvision's `features`, where a ReLU follows conv1
    position = 0
    for number, layer in enumerate((conv1, *(_fire(f"fire{i}", s, e) for i, s, e in modules)), 1):
        layers.append(layer)
        for filters in layer.convolutions():
            part = filters.name.removeprefix(layer.name).replace("squeeze1x1", "squeeze")
            positions[f"features.{position}{part}"] = filters.name
        position += 2 if number == 1 else 1
        if number in pooled:
            layers.append(Layer(f"pool{number}", kernel=3, stride=2, ceil=True))
            position += 1
    conv10 = Layer("conv10", kernel=1, weighted=True, channels=CLASSES, classes=True)
    layers.append(conv10)

    def as_trained(preprocessing: Any) -> tuple[Layer, ...]:
        """The layers; in Caffe's network (BGR input), conv10 pads its input by a zero on each side."""
        padding = 1 if preprocessing.channels == "bgr" else 0
        return (*layers[:-1], conv10._replace(padding=padding))

    names: Mapping[str, str] = {**positions, "classifier.1": "conv10"}
    head = Head("conv10", side=227)
    return Architecture(
        name, tuple(layers), torchvision=names, preprocessing="caffe", head=head, as_trained=as_trained
    )


SQUEEZENET1_0 = _squeezenet(
    "squeezenet1_0", Layer("conv1", kernel=7, stride=2, weighted=True, channels=96), (1, 4, 8)
)
SQUEEZENET1_1 = _squeezenet(
    "squeezenet1_1", Layer("conv1", kernel=3, stride=2, weighted=True, channels=64), (1, 3, 5)
)
