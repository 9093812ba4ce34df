"""Receptive fields: the pixels that one activation depends on, from the layers' windows and strides.

Boxes are half-open, x0 <= x < x1 and y0 <= y < y1, in pixels of the network's input.
"""

from collections.abc import Sequence
from typing import NamedTuple

from nst_jax.networks.architectures import Layer, up_to


class Window(NamedTuple):
    """Along one axis, a stretch of pixels that holds the receptive field of any activation of a layer."""

    stride: int  # pixels from one activation to the next
    lead: int  # activations from the start of the stretch to the one it is for, away from the border
    length: int  # pixels


def box(
    layers: Sequence[Layer], name: str, row: int, col: int, height: int, width: int
) -> tuple[int, int, int, int]:
    """The receptive field of layer `name` at (`row`, `col`) in a `height` x `width` image: x0, y0, x1, y1.

    It is exact: clipped where the image ends, and without the last row or column where a pooling of an
    odd number drops it and nothing else sees it.

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
    """The fewest pixels along one axis that leave layer `name` an activation."""
    length = 1
    for layer in reversed(up_to(layers, name)):
        length = max(1, (length - 1) * layer.stride + layer.kernel - 2 * layer.padding)
    return length


def window(layers: Sequence[Layer], name: str, side: int) -> Window:
    """How to cut pixels out of `side` so that an activation of layer `name` is the same in the cut.

    The cut begins `lead` activations before the one asked for, at a multiple of `stride`, or as near to that
    as keeps it in the image. Everything the activation depends on then has the same value as in the whole
    image: with every convolution the cut's zero padding reaches one activation further, and the region that
    is needed shrinks by as much. A cut ends where the image does or has its length modulo `stride`, so that
    poolings drop the same rows.
    """
    steps = up_to(layers, name)
    step = stride(layers, name)
    low, high = _reach(steps)
    lead, trail = -(low // step), -(-high // step)
    return Window(step, lead, min(side, step * (lead + trail) + side % step))


def _reach(steps: Sequence[Layer]) -> tuple[int, int]:
    """The pixels, from and to, behind activation 0 of an image without borders."""
    low, high = 0, 1
    for layer in reversed(steps):
        low, high = _inputs(layer, low, high)
    return low, high


def _inputs(layer: Layer, low: int, high: int) -> tuple[int, int]:
    """The inputs, from and to, behind the outputs `low` to `high`; the border is not considered."""
    start = low * layer.stride - layer.padding
    return start, (high - 1) * layer.stride - layer.padding + layer.kernel


def _lengths(steps: Sequence[Layer], side: int) -> list[int]:
    """The length of one axis before the first step and after each."""
    lengths = [side]
    for layer in steps:
        lengths.append(max(0, (lengths[-1] + 2 * layer.padding - layer.kernel) // layer.stride + 1))
    return lengths


def _span(steps: Sequence[Layer], position: int, side: int) -> tuple[int, int]:
    """`_reach` of `position`, clipped at every layer on the way down to `side` pixels."""
    *before, last = _lengths(steps, side)
    if not 0 <= position < last:
        raise ValueError(f"{steps[-1].name} has positions 0 to {last - 1} for {side} pixels, not {position}")
    low, high = position, position + 1
    for layer, length in zip(reversed(steps), reversed(before), strict=True):
        low, high = _inputs(layer, low, high)
        low, high = max(0, low), min(length, high)
    return low, high
