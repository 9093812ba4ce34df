"""Receptive fields: the pixels that one activation depends on, from the layers' kernels and strides.

Boxes are half-open, x0 <= x < x1 and y0 <= y < y1, in pixels of the network's input.
"""

from collections.abc import Sequence
from typing import NamedTuple

from nst_jax.networks.architectures import Layer, up_to


class Window(NamedTuple):
    """A crop along one axis that contains the receptive field of an activation of a layer."""

    stride: int  # pixels from one activation to the next
    lead: int  # activations from the start of the crop to the target, away from the border
    length: int  # pixels


def box(
    layers: Sequence[Layer], name: str, row: int, col: int, height: int, width: int
) -> tuple[int, int, int, int]:
    """The receptive field of layer `name` at (`row`, `col`) in a `height` x `width` image: x0, y0, x1, y1.

    The box is exact: it is clipped to the image, and it excludes last rows and columns that a layer with a
    stride drops, unless the activation depends on them through another window.

    Raises:
        UserError: there is no such layer.
        ValueError: the layer has no such position.
    """
    steps = up_to(layers, name)
    (y0, y1), (x0, x1) = _span(steps, row, height), _span(steps, col, width)
    return x0, y0, x1, y1


def field_side(layers: Sequence[Layer], name: str) -> int:
    """The side of the receptive field of layer `name` away from the image's border, in pixels."""
    low, high = _reach(up_to(layers, name))
    return high - low


def centre(layers: Sequence[Layer], name: str) -> float:
    """The centre of the receptive field of activation 0 of layer `name`, in pixels from the image's edge."""
    low, high = _reach(up_to(layers, name))
    return (low + high) / 2


def stride(layers: Sequence[Layer], name: str) -> int:
    """Pixels from one activation of layer `name` to the next."""
    product = 1
    for layer in up_to(layers, name):
        product *= layer.stride
    return product


def shape(layers: Sequence[Layer], name: str, height: int, width: int) -> tuple[int, int]:
    """Rows and columns of the activations of layer `name` for an image of `height` x `width`."""
    steps = up_to(layers, name)
    return _lengths(steps, height)[-1], _lengths(steps, width)[-1]


def smallest_side(layers: Sequence[Layer], name: str) -> int:
    """The smallest image side, in pixels, for which layer `name` has an activation."""
    length = 1
    for layer in reversed(up_to(layers, name)):
        length = (length - 1) * layer.stride + layer.kernel - 2 * layer.padding
        length = max(1, length - (layer.stride - 1 if layer.ceil else 0))
    return length


def window(layers: Sequence[Layer], name: str, side: int) -> Window:
    """The crop of an axis of `side` pixels that leaves an activation of layer `name` unchanged.

    The crop starts `lead` activations before the target, at a multiple of `stride`, or as close to that as
    the image allows. Everything that the activation depends on then has the same value as in the whole image:
    the effect of the crop's zero padding reaches one activation further with each convolution, and the region
    that is needed shrinks by as much. A crop ends at the border of the image or has the image's length modulo
    `stride`, so that strided layers have the same last window.
    """
    steps = up_to(layers, name)
    step = stride(layers, name)
    low, high = _reach(steps)
    # Rounded away from the target, to whole activations.
    lead, trail = -(low // step), -(-high // step)
    return Window(step, lead, min(side, step * (lead + trail) + side % step))


def _reach(steps: Sequence[Layer]) -> tuple[int, int]:
    """Start and end of the pixels that activation 0 depends on, ignoring borders."""
    low, high = 0, 1
    for layer in reversed(steps):
        low, high = _inputs(layer, low, high)
    return low, high


def _inputs(layer: Layer, low: int, high: int) -> tuple[int, int]:
    """Start and end of the inputs that the outputs `low` to `high` depend on, ignoring borders."""
    start = low * layer.stride - layer.padding
    return start, (high - 1) * layer.stride - layer.padding + layer.kernel


def _lengths(steps: Sequence[Layer], side: int) -> list[int]:
    """The length of one axis before the first step and after each."""
    lengths = [side]
    for layer in steps:
        last = lengths[-1] + 2 * layer.padding - layer.kernel + (layer.stride - 1 if layer.ceil else 0)
        lengths.append(max(0, last // layer.stride + 1))
    return lengths


def _span(steps: Sequence[Layer], position: int, side: int) -> tuple[int, int]:
    """Start and end of the pixels that `position` depends on, clipped to the bounds of every layer."""
    *before, last = _lengths(steps, side)
    if not 0 <= position < last:
        raise ValueError(f"{steps[-1].name} has positions 0 to {last - 1} for {side} pixels, not {position}")
    low, high = position, position + 1
    for layer, length in zip(reversed(steps), reversed(before), strict=True):
        low, high = _inputs(layer, low, high)
        low, high = max(0, low), min(length, high)
    return low, high
