"""The VGG networks (Simonyan & Zisserman 2014): which convolutions, in which order, how wide."""

from nst_jax.errors import unknown

# Convolutions per block; a 2x2 pooling closes each block.
ARCHES: dict[str, tuple[int, ...]] = {
    "vgg16": (2, 2, 3, 3, 3),
    "vgg19": (2, 2, 4, 4, 4),
    "slim": (2, 2, 4, 4, 4),
}

# Channels per block; None where they are taken from the file.
WIDTHS: dict[str, tuple[int, ...] | None] = {
    "vgg16": (64, 128, 256, 512, 512),
    "vgg19": (64, 128, 256, 512, 512),
    "slim": None,
}

INPUT_CHANNELS = 3
KERNEL_SIZE = 3


def conv_layers(arch: str) -> tuple[str, ...]:
    """The convolutions of `arch` in network order: "conv1_1", "conv1_2", "conv2_1", ..."""
    if arch not in ARCHES:
        raise unknown("network.arch", arch, ARCHES)
    return tuple(
        f"conv{block}_{index}" for block, count in enumerate(ARCHES[arch], 1) for index in range(1, count + 1)
    )


def kernel_shapes(arch: str, widths: tuple[int, ...] | None = None) -> dict[str, tuple[int, int, int, int]]:
    """Layer -> (3, 3, in, out); `widths`, channels per block, serve where `arch` has none."""
    widths = WIDTHS[arch] or widths
    if widths is None:
        raise ValueError(f"{arch} has no widths of its own: pass them")
    shapes = {}
    channels = INPUT_CHANNELS
    for layer in conv_layers(arch):
        width = widths[block_of(layer) - 1]
        shapes[layer] = (KERNEL_SIZE, KERNEL_SIZE, channels, width)
        channels = width
    return shapes


def block_of(layer: str) -> int:
    """The block of a convolution, counted from 1: 3 for "conv3_4"."""
    return int(layer.removeprefix("conv").split("_")[0])


def layer_names(arch: str) -> tuple[str, ...]:
    """Every layer that can be asked for: the convolutions in order, `poolB` after each block."""
    names = []
    for block in range(1, len(ARCHES[arch]) + 1):
        names += [layer for layer in conv_layers(arch) if block_of(layer) == block]
        names.append(f"pool{block}")
    return tuple(names)


def convs_up_to(arch: str, last: str) -> tuple[str, ...]:
    """The convolutions that have run once the layer `last` is known."""
    names = layer_names(arch)
    return tuple(name for name in names[: names.index(last) + 1] if name.startswith("conv"))
