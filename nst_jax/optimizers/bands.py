"""L-BFGS with one initial scale per band of spatial frequencies and colour axis.

Standard L-BFGS starts from a multiple of the identity as the inverse Hessian, with a scale taken from the
last step, and corrects it by the history of steps (Nocedal & Wright 2006, algorithm 7.4). But the curvature
of losses on VGG activations differs a hundredfold between coarse and fine structure, and between gray and
colour. Here the initial inverse Hessian is diagonal in the cosine transform of the image. Along the colour
axis the transform gives gray and two colour differences. The scale of a band is |s| / |y| within the band,
over the steps s of the history and their gradient changes y.
"""

import functools
import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax
from jaxtyping import Array, Float, Int

from nst_jax.devices.split import Split
from nst_jax.optimizers import cosine
from nst_jax.optimizers.history import History, empty, remember, times_inverse_hessian
from nst_jax.optimizers.state import VariableArray

Radial = Int[Array, "h w"]  # the radial band of each coefficient
OCTAVES_PER_BAND = 0.65  # half as much, twice as many bands, gained nothing: docs/performance.md


class BandedState(NamedTuple):
    """The last point, and the history of steps as coefficients of the cosine transform."""

    image: VariableArray
    direction: VariableArray  # the last update, transformed: the next point lies against it
    history: History
    energies: Float[Array, "memory 2 bands"]  # squared norms of s and y within each band


def scale_by_banded_lbfgs(memory: int, split: Split | None = None) -> optax.GradientTransformation:
    """A variant of `optax.scale_by_lbfgs(memory)` for images, with one initial scale per band.

    Each point must lie on the line that the previous update gave, as it does after a line search. The
    transform of a step is then a multiple of that update's, and only the gradient has to be transformed.
    With a `split`, images are on several devices.
    """
    both = cosine.split_transforms(split) if split else (cosine.transform, cosine.inverse)
    transform, inverse = both

    def init(params: VariableArray) -> BandedState:
        zeros = jnp.zeros_like(params)
        _, height, width, colors = params.shape
        bands = colors * len(first_columns(split.height if split else height, width))
        energies = jnp.zeros((memory, 2, bands), params.dtype)
        return BandedState(zeros, zeros, empty(memory, params), energies)

    def update(
        updates: VariableArray, state: BandedState, params: VariableArray
    ) -> tuple[VariableArray, BandedState]:
        radial = _radial_bands(params.shape, split)
        state = _remember(state, params, transform(updates), radial)
        direction = times_inverse_hessian(state.history, _guess(state, radial))
        return inverse(direction), state._replace(direction=direction)

    return optax.GradientTransformation(init, update)


def _remember(
    state: BandedState, image: VariableArray, gradient: VariableArray, radial: Radial
) -> BandedState:
    """Add the step to `image`, where the transformed gradient is `gradient`, to the history."""
    length = jnp.linalg.norm(image - state.image) / jnp.linalg.norm(state.direction)
    s = -length * state.direction
    count = state.energies.shape[-1] // gradient.shape[-1]
    energies = jnp.stack(
        [_energies(array, radial, count) for array in (s, gradient - state.history.gradient)]
    )
    history, valid = remember(state.history, s, gradient)
    return BandedState(
        image=image,
        direction=state.direction,
        history=history,
        energies=state.energies.at[history.newest].set(jnp.where(valid, energies, 0)),
    )


def _guess(state: BandedState, radial: Radial) -> Array:
    """The initial inverse Hessian: the diagonal before any step of the history is applied."""
    history = state.history
    colors = history.gradient.shape[-1]
    scales = _scales(state.energies, colors).reshape(colors, -1).T[radial][jnp.newaxis]
    # Rescaled by the newest step, as in standard L-BFGS.
    change = history.changes[history.newest].reshape(scales.shape)
    product = history.curvatures[history.newest]
    against = jnp.vdot(change, scales * change) / jnp.where(product > 0, product, 1)
    # Without a step, the first update has a length of 1: at 512 px, 0.4 of 255 for each pixel. The gradient
    # can be a hundred times shorter, and the first line search would have to double it seven times.
    cautious = 1 / jnp.maximum(jnp.linalg.norm(history.gradient), jnp.finfo(scales.dtype).tiny)
    return jnp.where(against > 0, scales / jnp.where(against > 0, against, 1), cautious)


def _scales(energies: Float[Array, "memory 2 bands"], colors: int) -> Float[Array, "bands"]:
    """|s| / |y| of each band; in the finer half of each colour axis, at most that of its coarser bands there.

    Without the limit, the finest bands, where the gradient is almost zero, would take ever larger steps:
    after hundreds of steps a checkerboard covers the picture.
    """
    s, y = energies.sum(0)
    ratios = jnp.sqrt(s / jnp.maximum(y, jnp.finfo(y.dtype).tiny)).reshape(colors, -1)
    coarse, fine = jnp.split(ratios, [ratios.shape[1] // 2], axis=1)
    limits = lax.cummin(
        jnp.where(fine > 0, fine, jnp.inf), axis=1
    )  # a band may be empty, or have no step yet
    return jnp.concatenate([coarse, jnp.minimum(fine, limits)], axis=1).ravel()


def _energies(coefficients: VariableArray, radial: Radial, count: int) -> Float[Array, "bands"]:
    """The sum of squares within each band: of the first colour axis, then of the others."""
    squares = jnp.square(coefficients).reshape(-1, coefficients.shape[-1])
    return jax.ops.segment_sum(squares, radial.ravel(), count).T.ravel()


def _radial_bands(shape: tuple[int, ...], split: Split | None) -> Radial:
    """The radial band of each coefficient, from its frequency in octaves.

    They are found in the program, from where each band begins in each row: a constant of the size of the
    picture would take several times its memory to compile. The coefficients below those of a split picture
    are zeros, and may be of any band.
    """
    _, padded, width, _ = shape
    height = split.height if split else padded
    starts = np.pad(first_columns(height, width), ((0, 0), (0, padded - height)))
    columns = jnp.arange(width)
    began = (columns >= row[:, np.newaxis] for row in starts[1:])
    return functools.reduce(jnp.add, began, jnp.zeros((padded, width), jnp.int32))


@functools.cache
def first_columns(height: int, width: int) -> Int[np.ndarray, "bands {height}"]:
    """The first column of each radial band in every row of coefficients; `width` if it has none.

    Band 0 is the mean of the picture, and band 1 begins at the lowest other frequency.
    """
    lowest, highest = 1 / max(height, width), math.hypot((height - 1) / height, (width - 1) / width)
    octaves = np.arange(0, math.log2(max(highest / lowest, 0.5)) + 1e-9, OCTAVES_PER_BAND)
    frequencies = np.concatenate([[0.0], lowest * 2**octaves])[:, np.newaxis]
    along_rows = np.sqrt(np.maximum(frequencies**2 - (np.arange(height) / height) ** 2, 0))
    # The lowest frequency is that of column 1, which a rounding error must not exclude.
    return np.ceil(width * along_rows - 1e-6).astype(np.int32).clip(0, width)
