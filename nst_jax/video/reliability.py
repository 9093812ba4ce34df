"""Where a frame can be carried along a flow: warping, occlusion, and which earlier frame counts where.

Ruder, Dosovitskiy & Brox 2016, "Artistic style transfer for videos" (arXiv 1604.08610), equations 5 to 9.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Float32, UInt8
from scipy.ndimage import gaussian_filter, map_coordinates

Flow = Float[np.ndarray, "h w 2"]
Map = Float32[np.ndarray, "h w"]
# Equations 5 and 6: flows that do not undo each other, and edges of the motion.
CONSISTENCY, CONSISTENCY_FLOOR = 0.01, 0.5
# The paper has a floor of 0.002 for frames of 1024 px. At a third of it, that is less than the noise of TV-L1
# on grass that does not move, two thirds of which would be left free to flicker.
BOUNDARY, BOUNDARY_FLOOR = 0.01, 0.03
SMOOTHING = 0.8  # pixels, of the weights: the authors' code
DISOCCLUDED = -1.0  # before smoothing, so that it takes from its neighbours: the authors' code


def warped_along(
    picture: Float[np.ndarray, "h w c"], flow: Flow, order: int = 1
) -> Float32[np.ndarray, "h w c"]:
    """Return what `picture` shows at x + flow(x), by splines of `order`; outside, the nearest pixel."""
    rows, columns = np.mgrid[: flow.shape[0], : flow.shape[1]]
    at = (rows + flow[..., 0], columns + flow[..., 1])
    planes = [
        map_coordinates(plane, at, order=order, mode="nearest") for plane in np.moveaxis(picture, -1, 0)
    ]
    return np.stack(planes, -1).astype(np.float32)


def reliability(flow: Flow, back: Flow) -> Map:
    """Return, from 0 to 1, how far what lies behind `flow` is the same point of the scene.

    `flow` leads from a frame to an earlier one, and `back` from that to the frame. Positions whose flow
    leaves the picture, is not undone by the other, or lies at the edge of a motion get 0.
    """
    undone = flow + warped_along(back, flow)
    sizes = _square(flow) + _square(warped_along(back, flow))
    weights = np.ones(flow.shape[:2], np.float32)
    edges = sum(np.square(np.gradient(flow[..., axis])).sum(0) for axis in (0, 1))
    weights[edges > BOUNDARY * _square(flow) + BOUNDARY_FLOOR] = 0
    weights[_square(undone) > CONSISTENCY * sizes + CONSISTENCY_FLOOR] = DISOCCLUDED
    inside = _inside(flow)
    weights[~inside] = DISOCCLUDED
    return np.clip(gaussian_filter(weights, SMOOTHING), 0, 1).astype(np.float32) * inside


class Carried(NamedTuple):
    """What earlier frames say of a frame: their pictures, warped and mixed, and how far to trust them."""

    picture: Float32[np.ndarray, "h w 3"]
    weight: Map


def carried(warped: Sequence[Float32[np.ndarray, "h w 3"]], weights: Sequence[Map]) -> Carried:
    """Mix pictures warped from earlier frames, the closest first, each where no closer one is reliable.

    The sum of the long-term losses (equation 9) of several frames is, up to a constant, the loss of this mix:
    sum_j c_j (x - w_j)^2 = C (x - m)^2 + const with C = sum_j c_j and m = sum_j c_j w_j / C.
    """
    picture, total = np.zeros_like(warped[0]), np.zeros_like(weights[0])
    for one, weight in zip(warped, weights, strict=True):
        left = np.maximum(weight - total, 0)  # equation 8: never counted twice
        picture += left[..., None] * one
        total += left
    known = np.maximum(total, 1e-6)[..., None]
    return Carried(np.where(total[..., None] > 0, picture / known, warped[0]), total)


def nothing_known(frame: UInt8[np.ndarray, "h w 3"]) -> Carried:
    """What there is to say of a frame that follows from no other."""
    return Carried(np.zeros(frame.shape, np.float32), np.zeros(frame.shape[:2], np.float32))


def is_cut(weight: Map, least: float) -> bool:
    """Whether so little of a frame follows from the one before, as a share, that a new shot begins."""
    return float(weight.mean()) < least


def _square(flow: Flow) -> Map:
    return np.square(flow).sum(-1).astype(np.float32)


def _inside(flow: Flow) -> np.ndarray:
    height, width = flow.shape[:2]
    rows, columns = np.mgrid[:height, :width]
    y, x = rows + flow[..., 0], columns + flow[..., 1]
    return (y >= 0) & (y <= height - 1) & (x >= 0) & (x <= width - 1)
