"""VGG (Simonyan & Zisserman 2014): blocks of 3x3 convolutions with ReLU, each ending in 2x2 pooling."""

from collections.abc import Sequence

from nst_jax.networks.layers import Architecture, Head, Layer

HEAD = Head("pool5", side=224, dense=("fc6", "fc7", "fc8"), grid=7)
_WIDTHS = (64, 128, 256, 512, 512)  # filters by block: Table 1 of the paper


def _vgg(name: str, convs_per_block: Sequence[int], widths: Sequence[int | None] = _WIDTHS) -> Architecture:
    layers: list[Layer] = []
    # Positions in torchvision's `features`: a ReLU follows each convolution,
    # or in vgg19_bn its normalisation.
    positions: dict[str, str] = {}
    normalized: dict[str, str] = {}
    position = shift = 0
    for block, (count, width) in enumerate(zip(convs_per_block, widths, strict=True), 1):
        for index in range(1, count + 1):
            conv = Layer(f"conv{block}_{index}", kernel=3, padding=1, weighted=True, channels=width)
            layers.append(conv)
            positions[f"features.{position}"] = conv.name
            normalized[f"features.{position + shift}"] = conv.name
            shift += 1
            normalized[f"features.{position + shift}"] = f"{conv.name}.norm"
            position += 2
        layers.append(Layer(f"pool{block}", kernel=2, stride=2))
        position += 1
    return Architecture(name, tuple(layers), torchvision=positions, variants=(normalized,), head=HEAD)


VGG19 = _vgg("vgg19", (2, 2, 4, 4, 4))
VGG16 = _vgg("vgg16", (2, 2, 3, 3, 3))
SLIM = _vgg("slim", (2, 2, 4, 4, 4), (None,) * 5)  # VGG-19 with fewer filters
