"""Architectures by name: the layers in order, and the function that builds the network from its weights.

To add a network, describe its layers and its build function here and list it in `ARCHITECTURES`.
"""

import dataclasses
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, NamedTuple

from nst_jax.errors import unknown

INPUT_CHANNELS = 3


class Layer(NamedTuple):
    """One named layer; along each axis, outputs depend on `kernel` inputs and are `stride` inputs apart.

    `padding` zeros are added before the first input and after the last. `weighted` layers have a kernel and a
    bias; `channels` is their number of filters, or None if the weight file determines it.
    """

    name: str
    kernel: int
    stride: int = 1
    padding: int = 0
    weighted: bool = False
    channels: int | None = None


@dataclasses.dataclass(frozen=True)
class Architecture:
    """A network's layers, input first.

    `build(weights, pool=..., conv=..., precision=..., padding=...)` returns the module.
    """

    name: str
    layers: tuple[Layer, ...]
    build: Callable[..., Any]

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names of all layers, in order."""
        return tuple(layer.name for layer in self.layers)

    @cached_property
    def weighted(self) -> tuple[str, ...]:
        """The names of the layers that have weights, in order."""
        return tuple(layer.name for layer in self.layers if layer.weighted)

    def up_to(self, name: str) -> tuple[Layer, ...]:
        """The layers from the input up to and including `name`.

        Raises:
            UserError: there is no such layer.
        """
        return up_to(self.layers, name)

    def weighted_up_to(self, name: str) -> tuple[str, ...]:
        """The names of the layers whose weights are needed to compute `name`."""
        return tuple(layer.name for layer in self.up_to(name) if layer.weighted)

    def kernel_shapes(self, widths: Sequence[int] = ()) -> dict[str, tuple[int, int, int, int]]:
        """Layer name -> shape of its kernel: (rows, columns, inputs, outputs).

        `widths`, one per block, are used if the architecture does not fix the number of filters.
        """
        shapes = {}
        channels = INPUT_CHANNELS
        for block, layers in enumerate(blocks(self.layers)):
            for layer in layers:
                if layer.weighted:
                    filters = layer.channels or widths[block]
                    shapes[layer.name] = (layer.kernel, layer.kernel, channels, filters)
                    channels = filters
        return shapes


def architecture(name: str) -> Architecture:
    """The architecture called `name`.

    Raises:
        UserError: there is no such architecture.
    """
    if name not in ARCHITECTURES:
        raise unknown("network.arch", name, ARCHITECTURES)
    return ARCHITECTURES[name]


def up_to(layers: Sequence[Layer], name: str) -> tuple[Layer, ...]:
    """The first of `layers`, up to and including the one called `name`.

    Raises:
        UserError: there is no such layer.
    """
    names = [layer.name for layer in layers]
    if name not in names:
        raise unknown("layer", name, names)
    return tuple(layers[: names.index(name) + 1])


def blocks(layers: Sequence[Layer]) -> list[tuple[Layer, ...]]:
    """Split `layers` after each one with a stride, such as pooling."""
    groups: list[tuple[Layer, ...]] = [()]
    for layer in layers:
        groups[-1] += (layer,)
        if layer.stride > 1:
            groups.append(())
    return [group for group in groups if group]


def _vgg(name: str, convs_per_block: Sequence[int], widths: Sequence[int | None]) -> Architecture:
    """VGG (Simonyan & Zisserman 2014): blocks of 3x3 convolutions with ReLU, each ending in 2x2 pooling."""
    layers: list[Layer] = []
    for block, (count, width) in enumerate(zip(convs_per_block, widths, strict=True), 1):
        for index in range(1, count + 1):
            layers.append(Layer(f"conv{block}_{index}", kernel=3, padding=1, weighted=True, channels=width))
        layers.append(Layer(f"pool{block}", kernel=2, stride=2))
    return Architecture(name, tuple(layers), _build_vgg)


def _build_vgg(weights: Any, **options: str) -> Any:
    from nst_jax.networks.vgg import VGG  # imports JAX and Flax, which configs do not need

    return VGG(weights, **options)


_VGG_WIDTHS = (64, 128, 256, 512, 512)
ARCHITECTURES = {
    entry.name: entry
    for entry in (
        _vgg("vgg19", (2, 2, 4, 4, 4), _VGG_WIDTHS),
        _vgg("vgg16", (2, 2, 3, 3, 3), _VGG_WIDTHS),
        _vgg("slim", (2, 2, 4, 4, 4), (None,) * 5),  # VGG-19 with fewer filters
    )
}
