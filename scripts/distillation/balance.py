"""The final step, in closed form: scale each filter so that its layer is most similar to the teacher's.

The next layer undoes the scale of a filter, so this only changes how much each filter contributes to linear
CKA and to the Gram matrix.
"""

from collections.abc import Sequence

import jax
import numpy as np
from flax import nnx
from jaxtyping import Array, Float
from scipy.optimize import nnls

from nst_jax.networks.trained import OXFORD
from nst_jax.networks.vgg import VGG, preprocess

from . import student
from .scaling import rescaled

LAYERS = ("conv1_1", "conv2_1", "conv3_1", "conv4_1", "conv4_2", "conv5_1")
POSITIONS = 1500  # sampled per photograph; all of them if a layer has fewer
WEAKEST = 0.3  # lower limit relative to the median scale, so that no filter is silenced


def balanced(
    arrays: dict[str, np.ndarray], teacher: VGG, photos: Sequence[np.ndarray]
) -> dict[str, np.ndarray]:
    """Return the folded student `arrays` with each filter of `LAYERS` at its best scale over `photos`."""
    rng = np.random.default_rng(0)
    rows: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {layer: [] for layer in LAYERS}

    @jax.jit
    def both(photo: Array) -> tuple[dict[str, Array], dict[str, Array]]:
        S = student.responses(arrays, preprocess(photo, OXFORD), LAYERS)
        return jax.tree.map(nnx.relu, S), teacher(photo, LAYERS)

    for photo in photos:
        S, T = both(photo)
        for layer in LAYERS:
            chosen = rng.permutation(S[layer].size // S[layer].shape[-1])[:POSITIONS]
            s, t = (np.asarray(F[layer]).reshape(-1, F[layer].shape[-1]) for F in (S, T))
            rows[layer].append((s[chosen], t[chosen]))
    scales: dict[str, float | np.ndarray] = dict.fromkeys(student.CONVS, 1.0)
    for layer, pairs in rows.items():
        scales[layer] = filter_scales(*map(np.concatenate, zip(*pairs, strict=True)))
    return rescaled(arrays, scales)


def filter_scales(S: Float[np.ndarray, "p n"], T: Float[np.ndarray, "p m"]) -> np.ndarray:
    """Return the scales of the columns of S that maximise its linear CKA with T.

    With w the squared scales, K the covariance of S, and a_j the squared norm of the covariance of T with
    column j, CKA is proportional to a'w / sqrt(w'(K*K)w). Its maximum over w >= 0 is the non-negative
    least-squares solution of (K*K) w = a.
    """
    S, T = (F.astype(np.float64) - F.mean(0) for F in (S, T))
    spread = S.std(0) + 1e-12
    S = S / spread
    covariance = np.square(S.T @ S / len(S))
    along = np.square(T.T @ S / len(S)).sum(0)
    root = np.linalg.cholesky(covariance + 1e-4 * np.eye(len(covariance)))
    w, _ = nnls(root.T, np.linalg.solve(root, along))
    scales = np.sqrt(w) / spread
    used = scales[scales > 0]  # more than half may be 0, and so would be their median
    typical = np.median(used) if used.size else 1.0
    return np.maximum(scales / typical, WEAKEST).astype(np.float32)
