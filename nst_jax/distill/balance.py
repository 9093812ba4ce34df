"""The last touch, in closed form: each filter's scale, at which a layer is most like the teacher's.

A filter can be scaled and the next layer undo it, so this changes nothing but how much each filter
counts in linear CKA and in the Gram matrix.
"""

from collections.abc import Sequence

import jax
import numpy as np
from flax import nnx
from jaxtyping import Array, Float
from scipy.optimize import nnls

from nst_jax.distill import student, teachers
from nst_jax.distill.scaling import rescaled
from nst_jax.networks.trained import OXFORD
from nst_jax.networks.vgg import preprocess

LAYERS = ("conv1_1", "conv2_1", "conv3_1", "conv4_1", "conv5_1")
POSITIONS = 1500  # per photograph, or all where a layer has fewer
WEAKEST = 0.3  # of the usual filter's scale: none is to be silenced


def balanced(
    arrays: dict[str, np.ndarray], taught: teachers.Taught, photos: Sequence[np.ndarray]
) -> dict[str, np.ndarray]:
    """A folded student with each filter of `LAYERS` at its best scale over `photos`."""
    rng = np.random.default_rng(0)
    rows: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {layer: [] for layer in LAYERS}

    @jax.jit
    def both(photo: Array) -> tuple[dict[str, Array], dict[str, Array]]:
        S = student.responses(arrays, preprocess(photo, OXFORD), LAYERS)
        return jax.tree.map(nnx.relu, S), teachers.teacher_activations(taught, photo)

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
    """The scales of the columns of S at which its linear CKA with T is largest.

    With w the squared scales, K the covariance of S and a_j the squared length of T's covariance with
    column j, CKA goes with a'w / sqrt(w'(K*K)w): largest, over w >= 0, at the least squares of (K*K) w = a.
    """
    S, T = (F.astype(np.float64) - F.mean(0) for F in (S, T))
    spread = S.std(0) + 1e-12
    S = S / spread
    covariance = np.square(S.T @ S / len(S))
    along = np.square(T.T @ S / len(S)).sum(0)
    root = np.linalg.cholesky(covariance + 1e-4 * np.eye(len(covariance)))
    w, _ = nnls(root.T, np.linalg.solve(root, along))
    scales = np.sqrt(w) / spread
    return np.maximum(scales / np.median(scales), WEAKEST).astype(np.float32)
