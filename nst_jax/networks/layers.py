"""The description of a network: its layers in order, their convolutions, and the names of their arrays."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple

from jax import Array

from nst_jax.errors import unknown

INPUT_CHANNELS = 3

Relu = Callable[[Array], Array]


class Filters(NamedTuple):
    """One convolution, with the arrays `{name}.kernel` (HWIO) and `{name}.bias`.

    `channels` is the number of filters, or None if the weight file determines it. `inputs` is the number of
    its input channels, or None for those of the layer that it belongs to.
    """

    name: str
    kernel: int
    channels: int | None
    inputs: int | None = None
    stride: int = 1
    padding: int = 0


class Layer(NamedTuple):
    """One named layer; along each axis, outputs depend on `kernel` inputs and are `stride` inputs apart.

    `padding` zeros are added before the first input and after the last. With `ceil`, an incomplete window at
    the end of an axis gives an output too; otherwise it is dropped. `weighted` layers have convolutions;
    `channels` is their number of outputs, or None if the weight file determines it.

    A layer of several convolutions lists them as `filters`, and computes its output as
    `block(convolutions, x, relu, last_relu)`, where `last_relu` is the one that its output passes through;
    `kernel`, `stride` and `padding` then describe the layer as a whole. A `linear` layer has no ReLU. In a
    layer of `classes`, each output channel is the score of a class, and a file may have any number of them.
    """

    name: str
    kernel: int
    stride: int = 1
    padding: int = 0
    weighted: bool = False
    channels: int | None = None
    ceil: bool = False
    classes: bool = False
    filters: tuple[Filters, ...] = ()
    block: Callable[..., Any] | None = None
    linear: bool = False

    @property
    def rectified(self) -> bool:
        """Whether the output is that of a ReLU."""
        return self.weighted and not self.linear

    def convolutions(self) -> tuple[Filters, ...]:
        """The layer's convolutions; a pooling has none."""
        # A plain layer is its own only convolution.
        whole = Filters(self.name, self.kernel, self.channels, None, self.stride, self.padding)
        return self.filters or ((whole,) if self.weighted else ())


class Head(NamedTuple):
    """How class scores follow from the activations of `layer`.

    If `dense` layers are listed, they take the flattened activations, which must have `grid` x `grid`
    positions, as they do for pictures of `side` pixels. Otherwise the scores are means over the positions,
    for pictures of any size.
    """

    layer: str
    side: int  # of the pictures that the classifier was trained on, pixels
    dense: tuple[str, ...] = ()
    grid: int = 1


@dataclasses.dataclass(frozen=True)
class Architecture:
    """A network's layers, input first.

    `build(weights, pool=..., conv=..., precision=..., padding=...)` returns the module; by default, a
    `ConvNet` of the layers.
    `torchvision` maps the modules of torchvision's network to our arrays; `variants` do so for networks of
    the same convolutions with other modules between them, such as batch normalisation. `preprocessing`, a
    name in `trained.PREPROCESSINGS`, is assumed for files that do not state theirs. `head` is the classifier,
    if any.
    `as_trained(preprocessing)` returns the layers for weights with that preprocessing, if they depend on it.
    """

    name: str
    layers: tuple[Layer, ...]
    build: Callable[..., Any] | None = None
    torchvision: Mapping[str, str] = dataclasses.field(default_factory=dict)
    preprocessing: str = "oxford"
    head: Head | None = None
    as_trained: Callable[[Any], tuple[Layer, ...]] | None = None
    variants: tuple[Mapping[str, str], ...] = ()

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names of all layers, in order."""
        return tuple(layer.name for layer in self.layers)

    @cached_property
    def weighted(self) -> tuple[str, ...]:
        """The names of the layers that have weights, in order."""
        return tuple(layer.name for layer in self.layers if layer.weighted)

    @cached_property
    def filters(self) -> tuple[str, ...]:
        """The names of all convolutions, in order; the same as `weighted` if each layer has just one."""
        return tuple(filters.name for layer in self.layers for filters in layer.convolutions())

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
        """Convolution name -> shape of its kernel: (rows, columns, inputs, outputs).

        `widths`, one per block, are used if the architecture does not fix the number of filters.
        """
        shapes = {}
        before = INPUT_CHANNELS
        for block, layers in enumerate(blocks(self.layers)):
            for layer in layers:
                for filters in layer.convolutions():
                    shape = filters.inputs or before, filters.channels or widths[block]
                    shapes[filters.name] = (filters.kernel, filters.kernel, *shape)
                if layer.weighted:
                    before = layer.channels or widths[block]
        return shapes


def identity(x: Array) -> Array:
    """In place of a ReLU, what would enter it."""
    return x


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


def irregular_layer(layers: Sequence[Layer]) -> Layer | None:
    """The first of `layers` that supports neither tiling nor padding other than by zeros, or None.

    Both require same-padded layers with stride 1, and unpadded layers with kernel 2 and stride 2, as in VGG.
    """
    for layer in layers:
        same = layer.stride == 1 and layer.kernel == 2 * layer.padding + 1
        halving = (layer.kernel, layer.stride, layer.padding) == (2, 2, 0)
        if not (same or halving):
            return layer
    return None
