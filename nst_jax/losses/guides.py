"""Spatial guides: masks over a picture, brought down to the layers of a network.

Gatys et al. 2017 (arXiv 1611.07865), section 4. The guide T of a layer has a mean square of 1. Statistics
weight positions by T^2, so that they are those of the region alone; except `sums`, which weights them by T.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from PIL import Image

from nst_jax.networks import receptive
from nst_jax.networks.architectures import Layer, up_to

Mask = Float[np.ndarray, "_ _"]


def guides(
    mask: Mask, layers: Sequence[Layer], names: Sequence[str], mode: str, wrap: bool = False
) -> dict[str, Float[np.ndarray, "1 _ _ 1"]]:
    """Return the guide of each layer in `names` for a mask of the picture's size, 1 inside the region.

    `mode` is `simple`: the mask resized bilinearly; `inside`: the smallest value of the mask in the receptive
    field of a position, so that the field of every position in use lies within the region; or `all`: the
    largest, so that every position in use sees some of it. Fields end at the border of the picture, or
    continue on the opposite side if `wrap`. A guide without any position is all zeros.
    """
    return {name: _normalized(_brought_down(mask, up_to(layers, name), mode, wrap)) for name in names}


def peaks(
    mask: Mask, layers: Sequence[Layer], names: Sequence[str], mode: str, wrap: bool = False
) -> dict[str, float]:
    """Return the largest value of the mask in use at each layer, as a share of its largest value.

    It is below 1 where `inside` leaves gray parts of a mask alone, which guides would raise to full power.
    """
    if mode != "inside":
        return dict.fromkeys(names, 1.0)
    return {
        name: float(_brought_down(mask, up_to(layers, name), mode, wrap).max() / mask.max()) for name in names
    }


def _brought_down(mask: Mask, layers: Sequence[Layer], mode: str, wrap: bool) -> Mask:
    if mode == "simple":
        height, width = receptive.shape(layers, layers[-1].name, *mask.shape)
        resized = Image.fromarray(mask.astype(np.float32)).resize((width, height), Image.Resampling.BILINEAR)
        return np.asarray(resized)
    # The smallest value in a window is 1 minus the largest of 1 minus the mask.
    seen = mask if mode == "all" else 1 - mask
    for layer in layers:
        seen = _largest_in_windows(seen, layer, wrap)
    return seen if mode == "all" else 1 - seen


def _largest_in_windows(mask: Mask, layer: Layer, wrap: bool) -> Mask:
    """The largest value among the inputs of each output of `layer`."""
    outside = {"mode": "wrap"} if wrap else {"constant_values": 0.0}  # no mask is below 0
    outputs = receptive.shape((layer,), layer.name, *mask.shape)
    ends = [
        (
            layer.padding,
            max(layer.padding, (count - 1) * layer.stride + layer.kernel - length - layer.padding),
        )
        for count, length in zip(outputs, mask.shape, strict=True)
    ]
    padded = np.pad(mask, ends, **outside)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (layer.kernel, layer.kernel))
    return windows[:: layer.stride, :: layer.stride].max((-1, -2))


def _normalized(guide: Mask) -> Float[np.ndarray, "1 h w 1"]:
    """Scale to a mean square of 1, or leave zeros."""
    strength = np.sqrt(np.mean(np.square(guide, dtype=np.float64)))
    scaled = guide / strength if strength > 0 else np.zeros_like(guide)
    return scaled.astype(np.float32)[np.newaxis, :, :, np.newaxis]
