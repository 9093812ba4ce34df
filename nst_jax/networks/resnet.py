"""ResNet-18 (He et al. 2015, arXiv 1512.03385), with its batch normalisations folded into the convolutions.

`blockB_I` is the I-th residual block of conv B_x in the paper's Table 1, after its last ReLU; in torchvision
it is called layer(B-1).(I-1). `fc` is the classifier, applied at every position of block5_2: because it is
linear, the means of its maps are the class scores (Zhou et al. 2016, "Learning deep features for
discriminative localization", section 2).
"""

from collections.abc import Sequence
from typing import Any

from jax import Array

from nst_jax.networks.layers import Architecture, Filters, Head, Layer, Relu, identity

WIDTHS = (64, 128, 256, 512)  # of block2 to block5
CLASSES = 1000  # of ImageNet


def residual(convolutions: Sequence[Any], x: Array, relu: Relu, last_relu: Relu) -> Array:
    """Two convolutions, added to the input or to its projection by a third (section 3.2)."""
    first, second, *projection = convolutions
    shortcut = projection[0](x, identity) if projection else x
    return last_relu(second(first(x, relu), identity) + shortcut)


def _residual(name: str, inputs: int, width: int, stride: int) -> Layer:
    filters = [
        Filters(f"{name}.conv1", 3, width, inputs, stride, padding=1),
        Filters(f"{name}.conv2", 3, width, width, padding=1),
    ]
    if stride > 1:
        filters.append(Filters(f"{name}.projection", 1, width, inputs, stride))
    # Two 3x3 convolutions in a row: the second sees 3 outputs of the first, which are `stride` inputs apart.
    kernel, padding = 3 + 2 * stride, 1 + stride
    return Layer(
        name, kernel, stride, padding, weighted=True, channels=width, filters=tuple(filters), block=residual
    )


def _resnet(name: str, blocks_per_stage: int) -> Architecture:
    layers = [
        Layer("conv1", kernel=7, stride=2, padding=3, weighted=True, channels=64),
        Layer("pool1", kernel=3, stride=2, padding=1),
    ]
    # torchvision's modules -> our arrays; `X.norm` is the batch normalisation that follows X.
    names = {"conv1": "conv1", "bn1": "conv1.norm", "fc": "fc"}
    before = 64
    for stage, width in enumerate(WIDTHS, 1):
        for index in range(blocks_per_stage):
            stride = 2 if stage > 1 and index == 0 else 1
            block = _residual(f"block{stage + 1}_{index + 1}", before, width, stride)
            layers.append(block)
            theirs = f"layer{stage}.{index}"
            for number in (1, 2):
                names[f"{theirs}.conv{number}"] = f"{block.name}.conv{number}"
                names[f"{theirs}.bn{number}"] = f"{block.name}.conv{number}.norm"
            names[f"{theirs}.downsample.0"] = f"{block.name}.projection"
            names[f"{theirs}.downsample.1"] = f"{block.name}.projection.norm"
            before = width
    layers.append(Layer("fc", kernel=1, weighted=True, channels=CLASSES, classes=True, linear=True))
    head = Head("fc", side=224)
    return Architecture(name, tuple(layers), torchvision=names, preprocessing="torchvision", head=head)


RESNET18 = _resnet("resnet18", 2)
