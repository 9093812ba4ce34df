"""Hypercolumns: the activations of many layers at one position of the picture, as one vector.

Kolkin et al. 2022 (arXiv 2203.13215), section 3.1. Columns are kept by layer, so that losses need not join
them; the position is the same in every layer.
"""

from collections.abc import Mapping, Sequence

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from nst_jax.networks.network import Network

STRIDE = 4  # pixels from one column to the next
TURNS = 4  # rotations of the style by 90 degrees

Columns = dict[str, Float[Array, "m _"]]  # layer -> a row per position


def hypercolumns(network: Network, image: Float[Array, "1 h w 3"], layers: Sequence[str]) -> Columns:
    """Return the columns of `image` at every fourth pixel of both directions, row by row.

    The activations of a layer are divided by its number of channels, so that no layer outweighs the others.
    """
    height, width = (max(1, side // STRIDE) for side in image.shape[1:3])
    return {
        layer: interpolated(F, height, width).reshape(height * width, -1) / F.shape[3]
        for layer, F in network(image, layers).items()
    }


def interpolated(F: Float[Array, "1 h w n"], height: int, width: int) -> Float[Array, "1 {height} {width} n"]:
    """Interpolate bilinearly; the corners of both grids coincide (`align_corners` of PyTorch)."""
    for axis, count in ((1, height), (2, width)):
        last = F.shape[axis] - 1
        positions = np.linspace(0, last, count) if count > 1 else np.zeros(1)
        below = np.minimum(np.floor(positions).astype(np.int32), max(0, last - 1))
        share = (positions - below).astype(np.float32).reshape([-1 if a == axis else 1 for a in range(4)])
        above = jnp.take(F, np.minimum(below + 1, last), axis)
        F = jnp.take(F, below, axis) * (1 - share) + above * share
    return F


def joined(columns: Columns) -> Float[Array, "m n"]:
    """Return whole columns, the layers side by side in the order of their names."""
    return jnp.concatenate([columns[layer] for layer in sorted(columns)], axis=1)


def divided(columns: Float[Array, "m n"], like: Mapping[str, Array]) -> Columns:
    """Return whole columns by layer, with the layers and numbers of channels of `like`."""
    layers = sorted(like)
    ends = np.cumsum([like[layer].shape[1] for layer in layers])[:-1]
    return dict(zip(layers, jnp.split(columns, ends.tolist(), axis=1), strict=True))


def turned_copies(image: Float[np.ndarray, "1 h w 3"], turns: int = TURNS) -> list[np.ndarray]:
    """Return `image` rotated by multiples of 90 degrees, itself first."""
    return [np.ascontiguousarray(np.rot90(image, turn, axes=(1, 2))) for turn in range(turns)]
