"""A 3x3 convolution whose gradients stay fast inside compiled loops."""

from functools import partial

import jax
import jax.numpy as jnp
from jax import Array, lax
from jaxtyping import Float

# What the factors of a product keep, and what the chips are told so. A CPU takes tf32 for float32.
PRECISIONS = {
    "float32": lax.Precision.HIGHEST,  # 24 bits; accelerators would otherwise round to fewer
    "tf32": lax.Precision.HIGH,  # 11 bits, on the tensor cores of NVIDIA's chips
    "bfloat16": lax.Precision.DEFAULT,  # 8 bits; slow on most CPUs
}
# With so few outputs, as the gradient of a picture has, a CPU's vectors stay empty.
FEW_OUTPUTS = 4
DIMENSIONS = ("NHWC", "HWIO", "NHWC")


@partial(jax.custom_vjp, nondiff_argnums=(2,))
def conv3x3(
    x: Float[Array, "b h w i"], kernel: Float[Array, "3 3 i o"], precision: str = "float32"
) -> Float[Array, "b h w o"]:
    """Cross-correlation with zero padding and stride 1, in full float32 or the `PRECISIONS` asked for.

    The gradient with respect to `x` is again such a convolution, with the kernel turned by 180 degrees
    and its channels swapped, and is written so. JAX's own rule swaps the dimension numbers instead, which
    XLA's CPU backend only rewrites to its fast path outside of loops: inside it ran four times slower.
    """
    return _direct(x, kernel, precision)


def turned(kernel: Float[Array, "3 3 i o"]) -> Float[Array, "3 3 o i"]:
    """The kernel that takes the outputs' gradient to the inputs'."""
    return kernel[::-1, ::-1].swapaxes(2, 3)


def _direct(x: Array, kernel: Array, precision: str) -> Array:
    if kernel.shape[-1] <= FEW_OUTPUTS and jax.default_backend() == "cpu":
        return _few_outputs(x, kernel, precision)
    return _convolve(x, kernel, precision)


def _few_outputs(x: Array, kernel: Array, precision: str) -> Array:
    """By rows: the kernel's three, as three times the outputs, whose responses are then added up."""
    by_row = kernel.transpose(1, 2, 0, 3).reshape(1, 3, kernel.shape[2], -1)
    responses = lax.optimization_barrier(_convolve(x, by_row, precision))
    above, level, below = jnp.split(jnp.pad(responses, ((0, 0), (1, 1), (0, 0), (0, 0))), 3, axis=-1)
    return above[:, :-2] + level[:, 1:-1] + below[:, 2:]


def _convolve(x: Array, kernel: Array, precision: str) -> Array:
    factors = _rounded(x, precision), _rounded(kernel, precision)
    how = PRECISIONS[precision]
    y = lax.conv_general_dilated(*factors, (1, 1), "SAME", dimension_numbers=DIMENSIONS, precision=how)
    return y.astype(x.dtype)


def _rounded(factor: Array, precision: str) -> Array:
    """A factor of a product in the type that `precision` names: float32 but for bfloat16."""
    return factor.astype(jnp.bfloat16) if precision == "bfloat16" else factor


def _forward(x: Array, kernel: Array, precision: str) -> tuple[Array, tuple[Array, Array]]:
    return conv3x3(x, kernel, precision), (x, kernel)


def _backward(precision: str, residuals: tuple[Array, Array], cotangent: Array) -> tuple[Array, Array]:
    x, kernel = residuals
    # Unused, and so never computed, when only the image is optimised.
    kernel_gradient = jax.vjp(lambda k: _direct(x, k, "float32"), kernel)[1](cotangent)[0]
    return conv3x3(cotangent, turned(kernel), precision), kernel_gradient


conv3x3.defvjp(_forward, _backward)
