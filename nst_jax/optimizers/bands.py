"""L-BFGS whose initial guess has one scale per band of spatial frequencies and colour axis.

The usual method starts from one scale times the identity as the inverse Hessian, taken from the last step,
and corrects it by the remembered steps (Nocedal & Wright 2006, algorithm 7.4). The curvature of losses on
VGG's activations differs a hundredfold between coarse and fine, gray and coloured. So here the initial guess
is diagonal in the cosine transform of the picture, whose third axis, over red, green and blue, is gray and
two colour differences. A band's scale is |s| / |y| within it, over the remembered steps s and their changes
of gradient y.
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

OCTAVES_PER_BAND = 0.65
AXES = (1, 2, 3)


class BandedState(NamedTuple):
    """The last point and the remembered steps, all in the cosine transform."""

    calls: Int[Array, ""]
    params: ImageArray
    updates: ImageArray
    steps: Float[Array, "memory 1 h w 3"]  # s, differences of points
    changes: Float[Array, "memory 1 h w 3"]  # y, differences of gradients
    weights: Float[Array, "memory"]  # 1 / (s . y), 0 where nothing is remembered
    energies: Float[Array, "memory 2 bands"]  # of s and y within each band


def scale_by_banded_lbfgs(memory: int) -> optax.GradientTransformation:
    """In place of `optax.scale_by_lbfgs(memory)`, for pictures."""

    def init(params: ImageArray) -> BandedState:
        remembered = jnp.zeros((memory, *params.shape), params.dtype)
        bands = int(_bands(params.shape).max()) + 1
        return BandedState(
            calls=jnp.zeros((), jnp.int32),
            params=jnp.zeros_like(params),
            updates=jnp.zeros_like(params),
            steps=remembered,
            changes=remembered,
            weights=jnp.zeros(memory, params.dtype),
            energies=jnp.zeros((memory, 2, bands), params.dtype),
        )

    def update(updates: ImageArray, state: BandedState, params: ImageArray) -> tuple[ImageArray, BandedState]:
        state = _remember(state, _transform(params), _transform(updates))
        return _inverse(_times_inverse_hessian(state, state.updates)), state

    return optax.GradientTransformation(init, update)


def _remember(state: BandedState, params: ImageArray, updates: ImageArray) -> BandedState:
    """`state` with the step to `params`, in place of the oldest; the first call has none."""
    s, y = params - state.params, updates - state.updates
    product = jnp.vdot(s, y)
    known = (state.calls > 0) & (product > 0)
    slot = (state.calls - 1) % len(state.weights)
    bands = jnp.asarray(_bands(params.shape)).ravel()
    energies = jnp.stack(
        [_sums(s, bands, state.energies.shape[-1]), _sums(y, bands, state.energies.shape[-1])]
    )

    def put(old: Array, new: Array) -> Array:
        return old.at[slot].set(jnp.where(known, new, jnp.zeros_like(new)))

    return BandedState(
        calls=state.calls + 1,
        params=params,
        updates=updates,
        steps=put(state.steps, s),
        changes=put(state.changes, y),
        weights=put(state.weights, 1 / jnp.where(known, product, 1)),
        energies=put(state.energies, energies),
    )


def _times_inverse_hessian(state: BandedState, gradient: ImageArray) -> ImageArray:
    """The two loops of Nocedal & Wright 2006, algorithm 7.4."""
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
    """The diagonal that the loops begin with."""
    s, y = state.energies.sum(0)
    scales = jnp.sqrt(s / jnp.maximum(y, jnp.finfo(y.dtype).tiny))[jnp.asarray(_bands(gradient.shape))]
    newest = (state.calls - 2) % len(state.weights)
    change = state.changes[newest]
    # Scaled as usual, so that the newest step's length comes out right.
    against = state.weights[newest] * jnp.vdot(change, scales * change)
    cautious = jnp.minimum(1.0, 1 / jnp.linalg.norm(gradient))
    return jnp.where(against > 0, scales / jnp.where(against > 0, against, 1), cautious)


def _sums(values: ImageArray, bands: Int[Array, "n"], count: int) -> Float[Array, "{count}"]:
    return jax.ops.segment_sum(jnp.square(values).ravel(), bands, count)


def _bands(shape: tuple[int, ...]) -> Int[np.ndarray, "1 h w 3"]:
    """The band of each coefficient: which octaves of frequency, and which colour axis."""
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
