"""Terms of the training objective: match the teachers' features, Gram matrices and similarities.

S is the student's activation at a layer, "b h w n"; T is the teacher's, "b h w m". A learned linear map from
the student's filters to the teacher's is used only for training.
"""

from collections.abc import Mapping

import jax.numpy as jnp
from jax import Array
from jaxtyping import Float

# Minimum peak response of every filter on every image; the mean square activation is about 1.
LIVELY = 0.2
# Subsampling of the largest layers, to save time: neighbouring positions there are very similar.
STRIDES = {"conv1_1": 2, "conv1_2": 2}


def linear_cka(S: Float[Array, "p n"], T: Float[Array, "p m"]) -> Float[Array, ""]:
    """Return the linear centred kernel alignment of two sets of features at p positions, in [0, 1].

    Kornblith et al. 2019 (arXiv 1905.00414), section 3: |T'S|^2 / (|S'S| |T'T|), in Frobenius norms.
    """
    S, T = S - S.mean(0), T - T.mean(0)
    return jnp.sum(jnp.square(T.T @ S)) / (jnp.linalg.norm(S.T @ S) * jnp.linalg.norm(T.T @ T))


def feature_error(M: Float[Array, "b p m"], T: Float[Array, "b p m"]) -> Float[Array, ""]:
    """Return the mean over images of the squared error of the mapped features `M` over T's variance."""
    variance = jnp.square(T - T.mean(1, keepdims=True)).sum((1, 2))
    # A picture of a single colour has no variance; its error is relative to the squares of T.
    scale = variance + 0.05 * jnp.square(T).sum((1, 2)) + 1e-6
    return jnp.mean(jnp.square(M - T).sum((1, 2)) / scale)


def gram_error(M: Float[Array, "b p m"], T: Float[Array, "b p m"]) -> Float[Array, ""]:
    """Return the mean over images of the relative Frobenius distance of the Gram matrices."""
    G, A = (jnp.einsum("bpi,bpj->bij", F, F) for F in (M, T))
    distance = jnp.sqrt(jnp.square(G - A).sum((1, 2)) + 1e-12)
    return jnp.mean(distance / (jnp.sqrt(jnp.square(A).sum((1, 2))) + 1e-6))


def dullness(response: Float[Array, "b h w n"]) -> Float[Array, ""]:
    """Return how far the peak response of each filter on each image falls below `LIVELY`, on average.

    Responses are taken before the ReLU, after which a dead filter has no gradient.
    """
    return jnp.mean(jnp.maximum(0, LIVELY - response.max((1, 2))) / LIVELY)


def layer_terms(
    S: Float[Array, "b h w n"],
    T: Float[Array, "b h w m"],
    linear: Mapping[str, Array],
    natural: int,
    stride: int = 1,
) -> dict[str, Array]:
    """Return the terms of one layer, with a separate CKA for the first `natural` images and for the others.

    In a joint CKA, the strong activations of disturbed pictures would dominate those of natural ones.
    """
    S, T = (F[:, ::stride, ::stride].reshape(F.shape[0], -1, F.shape[-1]) for F in (S, T))
    M = S @ linear["kernel"] + linear["bias"]
    return {
        "feature": feature_error(M, T),
        "gram": gram_error(M, T),
        "cka": 1 - linear_cka(_rows(S[:natural]), _rows(T[:natural])),
        "cka_disturbed": 1 - linear_cka(_rows(S[natural:]), _rows(T[natural:])),
    }


def _rows(F: Array) -> Array:
    return F.reshape(-1, F.shape[-1])
