"""The student as a plain function of its arrays, and its first state, from least squares.

Arrays are named as in a weight file ("conv1_1.kernel"). While it trains, the student's input is
Oxford's divided by `INPUT_SPREAD`, so that all of its arrays are of one order of magnitude.
"""

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
    """The response before its ReLU of each of `layers`, of any network of VGG-19's topology."""
    first = architecture("vgg19").layers[0]

    def respond(layer: Layer, x: Array) -> Array:
        """From a response to the next one: the ReLU comes first, but for the input, which has none."""
        rectified = x if layer is first else nnx.relu(x)
        if not layer.weighted:
            return POOLS[pool](rectified)
        return conv3x3(rectified, jnp.asarray(arrays[f"{layer.name}.kernel"])) + arrays[f"{layer.name}.bias"]

    return walk(architecture("vgg19").layers, layers, x, respond)


def random_arrays(widths: Sequence[int], seed: int) -> dict[str, np.ndarray]:
    """Filters that keep the size of what they are given; biases 0."""
    rng = np.random.default_rng(seed)
    arrays = {}
    for layer, shape in architecture("slim").kernel_shapes(widths).items():
        if layer in CONVS:
            spread = np.sqrt(1 / np.prod(shape[:3]))
            arrays[f"{layer}.kernel"] = rng.normal(0, spread, shape).astype(np.float32)
            arrays[f"{layer}.bias"] = np.zeros(shape[3], np.float32)
    return arrays


def fit_student(
    arrays: Mapping[str, np.ndarray],
    x: Float[Array, "b h w 3"],
    wanted: Mapping[str, Array],
    seed: int,
    samples: int = 20_000,
) -> dict[str, np.ndarray]:
    """Set each layer's filters, first to last, to imitate filters of a teacher's by least squares.

    `wanted` are the teacher's responses to the same images, of which the most telling channels are
    imitated. Where it has fewer than the student, the remaining filters stay as they are. Each layer
    is scaled to a mean square activation of 1.
    """
    rng = np.random.default_rng(seed)
    fitted = dict(arrays)
    for layer in architecture("slim").up_to(CONVS[-1]):
        if not layer.weighted:
            x = avg_pool(x)
            continue
        name = layer.name
        where = tuple(rng.integers(0, size, samples) for size in x.shape[:3])
        rows = _patches(np.asarray(x), where)
        response = np.asarray(wanted[name])[where]
        chosen = most_telling(np.maximum(response, 0), fitted[f"{name}.bias"].size)
        kernel, bias = fitted[f"{name}.kernel"].copy(), fitted[f"{name}.bias"].copy()
        solution = ridge(rows, response[:, chosen])
        kernel[..., : chosen.size] = solution[:-1].reshape(*kernel.shape[:3], -1)
        bias[: chosen.size] = solution[-1]
        raw = nnx.relu(conv3x3(x, jnp.asarray(kernel)) + bias)
        kernel, bias, x = _evened(kernel, bias, np.asarray(raw), chosen.size)
        fitted |= {f"{name}.kernel": kernel, f"{name}.bias": bias}
    return fitted


def most_telling(F: Float[np.ndarray, "p n"], count: int) -> np.ndarray:
    """Up to `count` of the n columns, greedily: each the one least explained by those before it.

    A Cholesky factorisation of the covariance with pivots; columns that add nothing are left out.
    """
    left = np.cov(F, rowvar=False).astype(np.float64)
    floor = 1e-6 * np.trace(left)
    chosen: list[int] = []
    while len(chosen) < count and left.diagonal().max() > floor / len(left):
        pivot = int(left.diagonal().argmax())
        chosen.append(pivot)
        left = left - np.outer(left[pivot], left[pivot]) / left[pivot, pivot]
    return np.array(chosen)


def _patches(x: np.ndarray, where: tuple[np.ndarray, ...]) -> np.ndarray:
    """The 3x3 surroundings of positions of `x`, zero-padded, and a 1 for the bias, as rows."""
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    b, row, column = where
    taps = [padded[b, row + i, column + j] for i in range(3) for j in range(3)]
    return np.concatenate([*taps, np.ones((b.size, 1), x.dtype)], axis=1)


def ridge(rows: np.ndarray, values: np.ndarray, strength: float = 1e-4) -> np.ndarray:
    """Least squares: the matrix X of smallest |rows X - values|^2 plus a little |X|^2."""
    moments = rows.T @ rows
    moments[np.diag_indices_from(moments)] += strength * np.trace(moments) / len(moments)
    return np.linalg.solve(moments, rows.T @ values).astype(np.float32)


def _evened(
    kernel: np.ndarray, bias: np.ndarray, raw: np.ndarray, imitating: int
) -> tuple[np.ndarray, np.ndarray, Array]:
    """Scale the imitations by one factor, and each free filter by its own, to mean square 1."""
    squares = np.square(raw).mean((0, 1, 2))
    factor = 1 / np.sqrt(squares + 1e-8)
    factor[:imitating] = 1 / np.sqrt(squares[:imitating].mean())
    return kernel * factor, bias * factor, jax.device_put(raw * factor)
