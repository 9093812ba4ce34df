"""A 3x3 convolution, by one of two algorithms, whose gradients stay fast inside compiled loops."""

from functools import partial

import jax
import jax.numpy as jnp
from jax import Array, lax
from jaxtyping import Float

from nst_jax.networks import winograd

# What the factors of a product keep, and what the chips are told so. A CPU takes tf32 for float32.
PRECISIONS = {
    "float32": lax.Precision.HIGHEST,  # 24 bits; accelerators would otherwise round to fewer
    "tf32": lax.Precision.HIGH,  # 11 bits, on the tensor cores of NVIDIA's chips
    "bfloat16": lax.Precision.DEFAULT,  # 8 bits; slow on most CPUs
}
DIMENSIONS = ("NHWC", "HWIO", "NHWC")
# With fewer channels the transforms cost Winograd's algorithm more than its products save.
WINOGRAD_CHANNELS = 128


@partial(jax.custom_vjp, nondiff_argnums=(2, 3))
def conv3x3(
    x: Float[Array, "b h w i"],
    kernel: Float[Array, "3 3 i o"],
    algorithm: str = "direct",
    precision: str = "float32",
) -> Float[Array, "b h w o"]:
    """Cross-correlation with zero padding and stride 1, in full float32 or the `PRECISIONS` asked for.

    `algorithm` is 'direct', 'winograd' (a relative rounding error of some 3e-6 a layer instead of 3e-7), or
    'auto', the faster one: a rule of the channels and the kind of device, so that results can be repeated.

    The gradient with respect to `x` is again such a convolution, with the kernel turned by 180 degrees
    and its channels swapped, and is written so. JAX's own rule swaps the dimension numbers instead, which
    XLA's CPU backend only rewrites to its fast path outside of loops: inside it ran four times slower.
    """
    if algorithm == "winograd" or (algorithm == "auto" and _winograd_is_faster(kernel)):
        return _winograd(x, kernel)
    return _direct(x, kernel, precision)


def _winograd_is_faster(kernel: Array) -> bool:
    return jax.default_backend() == "cpu" and min(kernel.shape[2:]) >= WINOGRAD_CHANNELS


def _winograd(x: Array, kernel: Array) -> Array:
    filters = winograd.transform_filters(kernel)
    if x.shape[0] == 1:
        return winograd.convolve(x[0], filters)[None]
    return jax.vmap(winograd.convolve, (0, None))(x, filters)


def rounded(factor: Array, precision: str) -> Array:
    """A factor of a product in the type that `precision` names: float32 but for bfloat16."""
    return factor.astype(jnp.bfloat16) if precision == "bfloat16" else factor


def _direct(x: Array, kernel: Array, precision: str = "float32") -> Array:
    factors = rounded(x, precision), rounded(kernel, precision)
    how = PRECISIONS[precision]
    y = lax.conv_general_dilated(*factors, (1, 1), "SAME", dimension_numbers=DIMENSIONS, precision=how)
    return y.astype(x.dtype)


def _forward(x: Array, kernel: Array, algorithm: str, precision: str) -> tuple[Array, tuple[Array, Array]]:
    return conv3x3(x, kernel, algorithm, precision), (x, kernel)


def _backward(
    algorithm: str, precision: str, residuals: tuple[Array, Array], cotangent: Array
) -> tuple[Array, Array]:
    x, kernel = residuals
    turned = kernel[::-1, ::-1].swapaxes(2, 3)
    # Unused, and so never computed, when only the image is optimised.
    kernel_gradient = jax.vjp(lambda k: _direct(x, k), kernel)[1](cotangent)[0]
    return conv3x3(cotangent, turned, algorithm, precision), kernel_gradient


conv3x3.defvjp(_forward, _backward)
