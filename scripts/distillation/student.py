"""The student as a pure function of its arrays, and its initialisation by least squares.

Arrays have the names of a weight file, such as "conv1_1.kernel". During training, the student's input is
Oxford's divided by `INPUT_SPREAD`, so that all of its arrays have the same order of magnitude.
"""

import itertools
from collections.abc import Mapping, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from nst_jax.networks.architectures import Layer, architecture
from nst_jax.networks.conv import conv3x3
from nst_jax.networks.network import walk
from nst_jax.networks.pool import POOLS, avg_pool

INPUT_SPREAD = 64.0
CONVS = architecture("slim").weighted_up_to("conv5_1")


def responses(
    arrays: Mapping[str, ArrayLike],
    x: Float[Array, "b h w 3"],
    layers: Sequence[str] = CONVS,
    pool: str = "avg",
) -> dict[str, Float[Array, "b _ _ _"]]:
    """Return the responses, before the ReLU, at `layers` of a network with VGG-19's topology."""
    first = architecture("vgg19").layers[0]

    def respond(layer: Layer, x: Array) -> Array:
        """Compute a layer from the response of the previous one; the input of the first has no ReLU."""
        rectified = x if layer is first else nnx.relu(x)
        if not layer.weighted:
            return POOLS[pool](rectified)
        return conv3x3(rectified, jnp.asarray(arrays[f"{layer.name}.kernel"])) + arrays[f"{layer.name}.bias"]

    return walk(architecture("vgg19").layers, layers, x, respond)


def random_arrays(widths: Sequence[int], seed: int) -> dict[str, np.ndarray]:
    """Return random filters that preserve the variance of their input, and zero biases."""
    rng = np.random.default_rng(seed)
    arrays = {}
    for layer, shape in architecture("slim").kernel_shapes(widths).items():
        if layer in CONVS:
            spread = np.sqrt(1 / np.prod(shape[:3]))
            arrays[f"{layer}.kernel"] = rng.normal(0, spread, shape).astype(np.float32)
            arrays[f"{layer}.bias"] = np.zeros(shape[3], np.float32)
    return arrays


def matching(arrays: Mapping[str, ArrayLike], others: Mapping[str, ArrayLike]) -> tuple[str, ...]:
    """The convolutions before the first whose kernel in `others` is missing or has another shape."""
    shapes = {name: np.shape(array) for name, array in others.items()}

    def fits(layer: str) -> bool:
        name = f"{layer}.kernel"
        return shapes.get(name) == np.shape(arrays[name])

    return tuple(itertools.takewhile(fits, CONVS))


def fit_student(
    arrays: Mapping[str, np.ndarray],
    x: Float[Array, "b h w 3"],
    targets: Mapping[str, Array],
    seed: int,
    kept: Sequence[str] = (),
    samples: int = 20_000,
) -> dict[str, np.ndarray]:
    """Fit each layer's filters, from first to last, to those of a teacher by least squares.

    `targets` are the teacher's responses to the same images; their most informative channels are imitated.
    If the teacher has fewer channels than the student, the remaining filters keep their values, and so do
    the filters of the layers `kept`, which come first. Each layer is scaled to a mean square activation of 1.
    """
    rng = np.random.default_rng(seed)
    fitted, factor = dict(arrays), np.ones(1, np.float32)  # by which the layer before has been scaled
    for layer in architecture("slim").up_to(CONVS[-1]):
        if not layer.weighted:
            x = avg_pool(x)
            continue
        kernel, bias = fitted[f"{layer.name}.kernel"], fitted[f"{layer.name}.bias"]
        imitating = bias.size
        if layer.name in kept:
            kernel = kernel / factor[:, np.newaxis]
        else:
            positions = tuple(rng.integers(0, size, samples) for size in x.shape[:3])
            response = np.asarray(targets[layer.name])[positions]
            kernel, bias, imitating = _fitted(kernel, bias, _patches(np.asarray(x), positions), response)
        raw = nnx.relu(conv3x3(x, jnp.asarray(kernel)) + bias)
        factor = _equalizing(np.asarray(raw), imitating)
        x = jax.device_put(raw * factor)
        fitted |= {f"{layer.name}.kernel": kernel * factor, f"{layer.name}.bias": bias * factor}
    return fitted


def most_telling(F: Float[np.ndarray, "p n"], count: int) -> np.ndarray:
    """Choose up to `count` of the n columns greedily: each is the one least explained by those before it.

    This is a pivoted Cholesky factorisation of the covariance; columns that add nothing are skipped.
    """
    residual = np.cov(F, rowvar=False).astype(np.float64)
    floor = 1e-6 * np.trace(residual)
    chosen: list[int] = []
    while len(chosen) < count and residual.diagonal().max() > floor / len(residual):
        pivot = int(residual.diagonal().argmax())
        chosen.append(pivot)
        residual = residual - np.outer(residual[pivot], residual[pivot]) / residual[pivot, pivot]
    return np.array(chosen)


def _patches(x: np.ndarray, positions: tuple[np.ndarray, ...]) -> np.ndarray:
    """Return as rows the zero-padded 3x3 neighbourhoods of `positions` in `x`, and a 1 for the bias."""
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    b, row, column = positions
    taps = [padded[b, row + i, column + j] for i in range(3) for j in range(3)]
    return np.concatenate([*taps, np.ones((b.size, 1), x.dtype)], axis=1)


def ridge(rows: np.ndarray, values: np.ndarray, strength: float = 1e-4) -> np.ndarray:
    """Solve ridge regression: the X that minimises |rows X - values|^2 plus a small multiple of |X|^2."""
    moments = rows.T @ rows
    moments[np.diag_indices_from(moments)] += strength * np.trace(moments) / len(moments)
    return np.linalg.solve(moments, rows.T @ values).astype(np.float32)


def _fitted(
    kernel: np.ndarray, bias: np.ndarray, rows: np.ndarray, response: np.ndarray
) -> tuple[np.ndarray, np.ndarray, int]:
    """Return a kernel and bias fitted to the most informative columns of `response`, and their number."""
    chosen = most_telling(np.maximum(response, 0), bias.size)
    kernel, bias = kernel.copy(), bias.copy()
    solution = ridge(rows, response[:, chosen])
    kernel[..., : chosen.size] = solution[:-1].reshape(*kernel.shape[:3], -1)
    bias[: chosen.size] = solution[-1]
    return kernel, bias, chosen.size


def _equalizing(raw: np.ndarray, imitating: int) -> np.ndarray:
    """Factors to mean square 1: a common one for the `imitating` filters, its own for each other filter."""
    squares = np.square(raw).mean((0, 1, 2))
    factor = 1 / np.sqrt(squares + 1e-8)
    factor[:imitating] = 1 / np.sqrt(squares[:imitating].mean())
    return factor
