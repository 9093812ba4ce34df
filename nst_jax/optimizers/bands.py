"""L-BFGS with one initial scale per band of spatial frequencies and colour axis.

Standard L-BFGS starts from a multiple of the identity as the inverse Hessian, with a scale taken from the
last step, and corrects it by the history of steps (Nocedal & Wright 2006, algorithm 7.4). But the curvature
of losses on VGG activations differs a hundredfold between coarse and fine structure, and between gray and
colour. Here the initial inverse Hessian is diagonal in the cosine transform of the image. Along the colour
axis the transform gives gray and two colour differences. The scale of a band is |s| / |y| within the band,
over the steps s of the history and their gradient changes y.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax
from jax.scipy import fft
from jaxtyping import Array, Float, Int

from nst_jax.optimizers.state import ImageArray

OCTAVES_PER_BAND = 0.65  # half as much, twice as many bands, gained nothing: docs/performance.md
AXES = (1, 2, 3)  # of the cosine transform: rows, columns and colours


class BandedState(NamedTuple):
    """The last point and the history of steps, as coefficients of the cosine transform."""

    calls: Int[Array, ""]
    params: ImageArray
    updates: ImageArray
    steps: Float[Array, "memory 1 h w 3"]  # s, differences of points
    changes: Float[Array, "memory 1 h w 3"]  # y, differences of gradients
    weights: Float[Array, "memory"]  # 1 / (s . y), 0 for empty slots
    energies: Float[Array, "memory 2 bands"]  # squared norms of s and y within each band


def scale_by_banded_lbfgs(memory: int) -> optax.GradientTransformation:
    """A variant of `optax.scale_by_lbfgs(memory)` for images, with one initial scale per band."""

    def init(params: ImageArray) -> BandedState:
        history = jnp.zeros((memory, *params.shape), params.dtype)
        bands = int(_bands(params.shape).max()) + 1
        return BandedState(
            calls=jnp.zeros((), jnp.int32),
            params=jnp.zeros_like(params),
            updates=jnp.zeros_like(params),
            steps=history,
            changes=history,
            weights=jnp.zeros(memory, params.dtype),
            energies=jnp.zeros((memory, 2, bands), params.dtype),
        )

    def update(updates: ImageArray, state: BandedState, params: ImageArray) -> tuple[ImageArray, BandedState]:
        state = _remember(state, _transform(params), _transform(updates))
        return _inverse(_times_inverse_hessian(state, state.updates)), state

    return optax.GradientTransformation(init, update)


def _remember(state: BandedState, params: ImageArray, updates: ImageArray) -> BandedState:
    """Replace the oldest step of the history by the step to `params`.

    The slot stays empty on the first call, and if s . y <= 0, which would make the Hessian indefinite.
    """
    s, y = params - state.params, updates - state.updates
    product = jnp.vdot(s, y)
    valid = (state.calls > 0) & (product > 0)
    slot = (state.calls - 1) % len(state.weights)
    bands = jnp.asarray(_bands(params.shape)).ravel()
    energies = jnp.stack(
        [_sums(s, bands, state.energies.shape[-1]), _sums(y, bands, state.energies.shape[-1])]
    )

    def put(old: Array, new: Array) -> Array:
        return old.at[slot].set(jnp.where(valid, new, jnp.zeros_like(new)))

    return BandedState(
        calls=state.calls + 1,
        params=params,
        updates=updates,
        steps=put(state.steps, s),
        changes=put(state.changes, y),
        weights=put(state.weights, 1 / jnp.where(valid, product, 1)),
        energies=put(state.energies, energies),
    )


def _times_inverse_hessian(state: BandedState, gradient: ImageArray) -> ImageArray:
    """The two-loop recursion of Nocedal & Wright 2006, algorithm 7.4."""
    memory = len(state.weights)
    order = (state.calls - 1 + jnp.arange(memory)) % memory  # oldest first

    def backwards(q: ImageArray, i: Array) -> tuple[ImageArray, Array]:
        alpha = state.weights[i] * jnp.vdot(state.steps[i], q)
        return q - alpha * state.changes[i], alpha

    def forwards(q: ImageArray, item: tuple[Array, Array]) -> tuple[ImageArray, None]:
        i, alpha = item
        beta = state.weights[i] * jnp.vdot(state.changes[i], q)
        return q + (alpha - beta) * state.steps[i], None

    q, alphas = lax.scan(backwards, gradient, order, reverse=True)
    return lax.scan(forwards, _guess(state, gradient) * q, (order, alphas))[0]


def _guess(state: BandedState, gradient: ImageArray) -> Array:
    """The diagonal of the initial inverse Hessian H."""
    s, y = state.energies.sum(0)
    scales = jnp.sqrt(s / jnp.maximum(y, jnp.finfo(y.dtype).tiny))[jnp.asarray(_bands(gradient.shape))]
    newest = (state.calls - 2) % len(state.weights)
    change = state.changes[newest]
    # As in standard L-BFGS, rescale H so that y . H y = s . y for the newest step.
    against = state.weights[newest] * jnp.vdot(change, scales * change)
    # Without a history, the step is the gradient, shortened to unit length if it is longer.
    cautious = jnp.minimum(1.0, 1 / jnp.linalg.norm(gradient))
    return jnp.where(against > 0, scales / jnp.where(against > 0, against, 1), cautious)


def _sums(values: ImageArray, bands: Int[Array, "n"], count: int) -> Float[Array, "{count}"]:
    return jax.ops.segment_sum(jnp.square(values).ravel(), bands, count)


def _bands(shape: tuple[int, ...]) -> Int[np.ndarray, "1 h w 3"]:
    """The band of each coefficient, from its frequency in octaves and its colour axis."""
    _, height, width, colours = shape
    frequencies = np.hypot(np.arange(height)[:, None] / height, np.arange(width) / width)
    lowest = 1 / max(height, width)
    octaves = np.log2(np.maximum(frequencies, lowest / 2) / lowest)
    radial = np.maximum(np.floor(octaves / OCTAVES_PER_BAND) + 1, 0).astype(np.int32)
    return (radial[..., None] + (radial.max() + 1) * np.arange(colours, dtype=np.int32))[None]


def _transform(image: ImageArray) -> ImageArray:
    return fft.dctn(image, axes=AXES, norm="ortho")


def _inverse(image: ImageArray) -> ImageArray:
    return fft.idctn(image, axes=AXES, norm="ortho")
