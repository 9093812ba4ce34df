"""Receptive fields: the pixels on which one activation can depend.

Boxes are half-open, x0 <= x < x1 and y0 <= y < y1, in pixels of the network's input.
"""

from collections.abc import Sequence
from typing import NamedTuple

from nst_jax.errors import unknown
from nst_jax.weights.topology import layer_names


class Window(NamedTuple):
    """Along one axis, a stretch of pixels that holds the receptive field of any activation of a layer."""

    stride: int  # pixels from one activation to the next
    lead: int  # activations from the stretch's beginning to the one it is for, away from the border
    length: int  # pixels


def box(arch: str, layer: str, row: int, col: int, height: int, width: int) -> tuple[int, int, int, int]:
    """The receptive field of `layer` at (`row`, `col`) in an image of `height` x `width`: x0, y0, x1, y1.

    It is exact: clipped where the image ends, and without the last row or column where a pooling of an
    odd number drops it and nothing else sees it.

    Raises:
        UserError: `arch` has no such layer.
        ValueError: the layer has no such position.
    """
    steps = _steps(layer_names(arch), layer)
    (y0, y1), (x0, x1) = _span(steps, row, height), _span(steps, col, width)
    return x0, y0, x1, y1


def size(arch: str, layer: str) -> int:
    """The side of the receptive field away from the image's border, in pixels."""
    low, high = _reach(_steps(layer_names(arch), layer))
    return high - low


def shape(arch: str, layer: str, height: int, width: int) -> tuple[int, int]:
    """Rows and columns of the activations of `layer` for an image of `height` x `width`."""
    steps = _steps(layer_names(arch), layer)
    return _sides(steps, height)[-1], _sides(steps, width)[-1]


def window(layers: Sequence[str], layer: str, side: int) -> Window:
    """How to cut pixels out of `side` so that an activation of `layer` is the same in the cut.

    The cut begins `lead` activations before the one asked for, at a multiple of `stride`, or as near to that
    as keeps it in the image. All that the activation depends on is then computed from the same numbers
    as in the whole image: a cut's zero padding reaches one more activation with every convolution, as fast
    as what is needed shrinks; and a cut ends where the image does or has its length modulo `stride`, so that
    poolings drop the same rows.
    """
    steps = _steps(layers, layer)
    stride = 2 ** sum(map(_pools, steps))
    low, high = _reach(steps)
    lead, trail = -(low // stride), -(-high // stride)
    return Window(stride, lead, min(side, stride * (lead + trail) + side % stride))


def _steps(layers: Sequence[str], layer: str) -> Sequence[str]:
    if layer not in layers:
        raise unknown("layer", layer, layers)
    return layers[: layers.index(layer) + 1]


def _pools(step: str) -> bool:
    return step.startswith("pool")


def _reach(steps: Sequence[str]) -> tuple[int, int]:
    """The pixels, from and to, behind activation 0 of an image without borders."""
    low, high = 0, 1
    for step in reversed(steps):
        low, high = (2 * low, 2 * high) if _pools(step) else (low - 1, high + 1)
    return low, high


def _sides(steps: Sequence[str], side: int) -> list[int]:
    """The length of one axis before the first step and after each."""
    sides = [side]
    for step in steps:
        sides.append(sides[-1] // 2 if _pools(step) else sides[-1])
    return sides


def _span(steps: Sequence[str], position: int, side: int) -> tuple[int, int]:
    """`_reach` of `position`, clipped at every layer on the way down to `side` pixels."""
    *before, last = _sides(steps, side)
    if not 0 <= position < last:
        raise ValueError(f"{steps[-1]} has positions 0 to {last - 1} for {side} pixels, not {position}")
    low, high = position, position + 1
    for step, length in zip(reversed(steps), reversed(before), strict=True):
        low, high = (2 * low, 2 * high) if _pools(step) else (max(0, low - 1), min(length, high + 1))
    return low, high
