"""A 3x3 convolution whose gradients stay fast inside compiled loops."""

import jax
from jax import Array, lax
from jaxtyping import Float

DIMENSIONS = ("NHWC", "HWIO", "NHWC")


@jax.custom_vjp
def conv3x3(x: Float[Array, "b h w i"], kernel: Float[Array, "3 3 i o"]) -> Float[Array, "b h w o"]:
    """Cross-correlation with zero padding and stride 1, in full float32.

    The gradient with respect to `x` is again such a convolution, with the kernel turned by 180 degrees
    and its channels swapped, and is written so. JAX's own rule swaps the dimension numbers instead, which
    XLA's CPU backend only rewrites to its fast path outside of loops: inside it ran four times slower.
    """
    return _direct(x, kernel)


def _direct(x: Array, kernel: Array) -> Array:
    # HIGHEST: accelerators would otherwise round the factors to fewer bits.
    return lax.conv_general_dilated(
        x, kernel, (1, 1), "SAME", dimension_numbers=DIMENSIONS, precision=lax.Precision.HIGHEST
    )


def _forward(x: Array, kernel: Array) -> tuple[Array, tuple[Array, Array]]:
    return conv3x3(x, kernel), (x, kernel)


def _backward(residuals: tuple[Array, Array], cotangent: Array) -> tuple[Array, Array]:
    x, kernel = residuals
    turned = kernel[::-1, ::-1].swapaxes(2, 3)
    # Unused, and so never computed, when only the image is optimised.
    kernel_gradient = jax.vjp(lambda k: _direct(x, k), kernel)[1](cotangent)[0]
    return conv3x3(cotangent, turned), kernel_gradient


conv3x3.defvjp(_forward, _backward)
