"""The Wasserstein distance of Gaussians: how far apart two layers are by mean and covariance.

crowsonkb/style-transfer-pytorch (2021). The squared distance between the Gaussians with the layers' moments,

    |mu - mu'|^2 + tr(C + C' - 2 (C'^(1/2) C C'^(1/2))^(1/2)),

divided by the number of filters.
"""

import jax
import jax.numpy as jnp
from jax import lax
from jax.scipy.linalg import cholesky
from jaxtyping import Array, Float

from nst_jax.losses.covariance import Gaussian

# Added to the diagonal of both covariances: at least what the original adds, at networks of unit scale, and
# for larger activations a share of their mean squares, above the rounding errors of a covariance.
EPSILON = 1e-4
SHARE_OF_SQUARES = 1e-6


def w2_distance(found: Gaussian, target: Gaussian) -> Float[Array, ""]:
    """Return the squared Wasserstein distance of the Gaussians, divided by the number of filters."""
    C, S = found.covariance(), target.covariance()
    share = SHARE_OF_SQUARES * (jnp.trace(found.second) + jnp.trace(target.second))
    ridge = lax.stop_gradient(jnp.maximum(EPSILON, share)) * jnp.eye(len(C))
    between = jnp.trace(C + S + 2 * ridge) - 2 * trace_of_root(C + ridge, S + ridge)
    return (jnp.sum(jnp.square(found.mean - target.mean)) + between) / len(C)


@jax.custom_vjp
def trace_of_root(C: Float[Array, "n n"], S: Float[Array, "n n"]) -> Float[Array, ""]:
    """Return tr (S^(1/2) C S^(1/2))^(1/2) of positive definite matrices; the gradient is that of C alone.

    With Cholesky factors C = L L^T and S = R R^T, it is the sum of the singular values of R^T L. Eigenvalues
    of the product would be the squares of these, and lose the smaller half of them to float32.
    """
    return _trace_and_transport(C, S)[0]


def _trace_and_transport(C: Array, S: Array) -> tuple[Array, Array]:
    """The trace, and its gradient: half the matrix of the optimal transport from C to S."""
    L, R = cholesky(C, lower=True), cholesky(S, lower=True)
    U, values, _ = jnp.linalg.svd(_product(R.T, L))
    RU = _product(R, U)
    return jnp.sum(values), 0.5 * _product(RU / values, RU.T)


def _product(A: Array, B: Array) -> Array:
    return jnp.matmul(A, B, precision=lax.Precision.HIGHEST)


trace_of_root.defvjp(_trace_and_transport, lambda gradient, cotangent: (cotangent * gradient, None))
