"""The Wasserstein distance of Gaussians: how far apart two layers are by mean and covariance.

crowsonkb/style-transfer-pytorch (2021). The squared distance between the Gaussians with the layers' moments,

    |mu - mu'|^2 + tr(C + C' - 2 (C'^(1/2) C C'^(1/2))^(1/2)),

divided by the number of filters.
"""

import math

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from nst_jax.losses.covariance import Gaussian

# Added to the diagonal of both covariances: at least what the original adds, at networks of unit scale, and
# for larger activations a share of their mean squares, above the rounding errors of a covariance.
EPSILON = 1e-4
SHARE_OF_SQUARES = 1e-6
MARGIN = 1.01  # of a bound, for rounding


def w2_distance(found: Gaussian, target: Gaussian) -> Float[Array, ""]:
    """Return the squared Wasserstein distance of the Gaussians, divided by the number of filters."""
    C, S = found.covariance(), target.covariance()
    share = SHARE_OF_SQUARES * (jnp.trace(found.second) + jnp.trace(target.second))
    # Constant in the gradient: the ridge is no part of the distance, and follows the scale alone.
    ridge = lax.stop_gradient(jnp.maximum(EPSILON, share)) * jnp.eye(len(C))
    between = jnp.trace(C + S + 2 * ridge) - 2 * trace_of_root(C + ridge, S + ridge)
    return (jnp.sum(jnp.square(found.mean - target.mean)) + between) / len(C)


def root_cost(filters: int) -> float:
    """Return the multiply-adds of the Newton-Schulz steps: three products each."""
    return 3.0 * len(STEPS) * filters**3


@jax.custom_vjp
def trace_of_root(C: Float[Array, "n n"], S: Float[Array, "n n"]) -> Float[Array, ""]:
    """Return tr (S^(1/2) C S^(1/2))^(1/2); the gradient is that of C alone.

    The eigenvalues of both matrices must be at least SHARE_OF_SQUARES times the sum of their traces.
    """
    return _trace_and_gradient(C, S)[0]


def _trace_and_gradient(C: Array, S: Array) -> tuple[Array, Array]:
    """The trace, and its gradient: half the matrix T of the optimal transport, for which T C T = S.

    The sign of ((0, S), (C, 0)) is ((0, T), (T^-1, 0)) (Higham 2008, "Functions of Matrices", section 5).
    Newton-Schulz steps find it by products alone, which suit every device; roots of the product of C and S
    would lose its smaller eigenvalues to float32. A step that is shortened to its scale maps the eigenvalues,
    which lie in (0, 1] on either side of 0, closest to 1 (Chen & Chow 2014).
    """
    bound = jnp.sqrt(MARGIN * jnp.sum(C * S))  # the eigenvalues are the roots of those of C S
    balance = jnp.sqrt(jnp.trace(C) / jnp.trace(S))
    T, inverse = S * (balance / bound), C / (balance * bound)
    for scale in STEPS:
        factor = 0.5 * scale * (3 * jnp.eye(len(C)) - scale**2 * _product(inverse, T))
        T, inverse = _symmetric(_product(T, factor)), _symmetric(_product(factor, inverse))
    T, inverse = T / balance, inverse * balance
    # At its minimum over T, so that an error of T counts by its square.
    return 0.5 * (jnp.sum(T * C) + jnp.sum(inverse * S)), 0.5 * T


def newton_schulz_scales(smallest: float, tolerance: float = 1e-4) -> list[float]:
    """Return the scales of the Newton-Schulz steps that take eigenvalues in [smallest, 1] to 1.

    Chen & Chow 2014, "A stable scaling of Newton-Schulz for improving the sign function computation of a
    Hermitian matrix": after a step x -> a x (3 - a^2 x^2) / 2 with the best a, the smallest eigenvalue is at
    both ends of the interval. Two plain steps follow once all are within `tolerance` of 1.
    """
    scales = []
    while smallest < 1 - tolerance:
        scale = math.sqrt(3 / (1 + smallest + smallest**2))
        smallest = 0.5 * scale * smallest * (3 - scale**2 * smallest**2)
        scales.append(scale)
    return [*scales, 1.0, 1.0]


# The bound is at most the mean of the traces, and the smallest eigenvalue at least the ridge.
STEPS = newton_schulz_scales(2 * SHARE_OF_SQUARES)


def _symmetric(A: Array) -> Array:
    return 0.5 * (A + A.T)


def _product(A: Array, B: Array) -> Array:
    # HIGHEST: the steps converge to what the products can resolve.
    return jnp.matmul(A, B, precision=lax.Precision.HIGHEST)


trace_of_root.defvjp(_trace_and_gradient, lambda gradient, cotangent: (cotangent * gradient, None))
