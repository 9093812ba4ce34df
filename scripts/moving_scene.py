"""Clips whose motion is known: a photo that moves, and a patch that moves over it."""

import numpy as np
from scipy.ndimage import map_coordinates

from nst_jax import images

SHIFT = np.array([1.0, -2.0])  # pixels per frame, of the background: rows, columns
PATCH_SHIFT = np.array([-2.0, 3.0])


def _moved(picture: np.ndarray, offset: np.ndarray) -> np.ndarray:
    rows, columns = np.mgrid[: picture.shape[0], : picture.shape[1]]
    at = rows - offset[0], columns - offset[1]
    planes = [map_coordinates(picture[..., c], at, order=1, mode="mirror") for c in range(3)]
    return np.stack(planes, -1)


def patch_at(frame: int, size: tuple[int, int]) -> np.ndarray:
    """Where the patch is: a square of a third of the height."""
    side = size[0] // 3
    top, left = (np.array([size[0] // 2, size[1] // 4]) + frame * PATCH_SHIFT).astype(int)
    mask = np.zeros(size, bool)
    mask[top : top + side, left : left + side] = True
    return mask


def scene(count: int, size: tuple[int, int] = (60, 90)) -> list[np.ndarray]:
    """Frames of the chelsea photo, with a patch of the rocket's moving over it, uint8."""
    ground = images.resize(images.read("sample:chelsea"), *size)[0]
    patch = images.resize(images.read("sample:rocket"), *size)[0]
    frames = []
    for frame in range(count):
        here = patch_at(frame, size)[..., None]
        moved = np.where(here, _moved(patch, frame * PATCH_SHIFT), _moved(ground, frame * SHIFT))
        frames.append(np.rint(255 * moved).astype(np.uint8))
    return frames


def true_flow(frame: int, other: int, size: tuple[int, int]) -> np.ndarray:
    """The flow from a frame to another one."""
    here = patch_at(frame, size)[..., None]
    return ((other - frame) * np.where(here, PATCH_SHIFT, SHIFT)).astype(np.float32)


def truly_visible(frame: int, other: int, size: tuple[int, int]) -> np.ndarray:
    """Where what a frame shows is also seen in the other one."""
    flow = true_flow(frame, other, size)
    rows, columns = np.mgrid[: size[0], : size[1]]
    y, x = np.rint(rows + flow[..., 0]).astype(int), np.rint(columns + flow[..., 1]).astype(int)
    inside = (y >= 0) & (y < size[0]) & (x >= 0) & (x < size[1])
    there = patch_at(other, size)[np.clip(y, 0, size[0] - 1), np.clip(x, 0, size[1] - 1)]
    return inside & (there == patch_at(frame, size))
