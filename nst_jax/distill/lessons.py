"""What the student is asked to match: the teachers' features, Gram matrices and similarities.

S is a student's activation at a layer, b h w n; T is the teacher's, b h w m. A learned linear map,
thrown away afterwards, takes the student's filters to the teacher's.
"""

from collections.abc import Mapping

import jax.numpy as jnp
from jax import Array
from jaxtyping import Float

# A filter should somewhere on every image respond at least so much (the mean square is about 1).
LIVELY = 0.2
# Positions skipped in the widest layers, whose neighbours are much alike, to save time.
STRIDES = {"conv1_1": 2, "conv1_2": 2}


def linear_cka(S: Float[Array, "p n"], T: Float[Array, "p m"]) -> Float[Array, ""]:
    """Linear centred kernel alignment of two sets of features at p positions, 0 to 1.

    Kornblith et al. 2019 (arXiv 1905.00414), section 3: |T'S|^2 / (|S'S| |T'T|), Frobenius norms.
    """
    S, T = S - S.mean(0), T - T.mean(0)
    return jnp.sum(jnp.square(T.T @ S)) / (jnp.linalg.norm(S.T @ S) * jnp.linalg.norm(T.T @ T))


def feature_error(M: Float[Array, "b p m"], T: Float[Array, "b p m"]) -> Float[Array, ""]:
    """Mean over images of the squared error of the mapped features `M`, as a share of T's variance."""
    spread = jnp.square(T - T.mean(1, keepdims=True)).sum((1, 2))
    # A picture of one colour has no variance: its error is measured against its square.
    scale = spread + 0.05 * jnp.square(T).sum((1, 2)) + 1e-6
    return jnp.mean(jnp.square(M - T).sum((1, 2)) / scale)


def gram_error(M: Float[Array, "b p m"], T: Float[Array, "b p m"]) -> Float[Array, ""]:
    """Mean over images of the relative Frobenius distance of the Gram matrices."""
    G, A = (jnp.einsum("bpi,bpj->bij", F, F) for F in (M, T))
    distance = jnp.sqrt(jnp.square(G - A).sum((1, 2)) + 1e-12)
    return jnp.mean(distance / (jnp.sqrt(jnp.square(A).sum((1, 2))) + 1e-6))


def dullness(response: Float[Array, "b h w n"]) -> Float[Array, ""]:
    """How far the filters' strongest responses on each image fall short of `LIVELY`.

    It takes the response before the ReLU: a dead filter has no gradient after it.
    """
    return jnp.mean(jnp.maximum(0, LIVELY - response.max((1, 2))) / LIVELY)


def layer_terms(
    S: Float[Array, "b h w n"],
    T: Float[Array, "b h w m"],
    linear: Mapping[str, Array],
    natural: int,
    stride: int = 1,
) -> dict[str, Array]:
    """The terms at one layer; similarity apart for the `natural` first images and the others.

    Pooled, the disturbed pictures' strong activations would drown the natural ones'.
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
