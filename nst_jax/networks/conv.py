"""Convolutions whose gradients stay fast inside compiled loops."""

from collections.abc import Sequence
from functools import partial
from typing import TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jaxtyping import Float

# The precision of the operands of a product, as config values and for XLA. CPUs treat tf32 as float32.
PRECISIONS = {
    "float32": lax.Precision.HIGHEST,  # 24-bit significand; accelerators use fewer bits by default
    "tf32": lax.Precision.HIGH,  # 11 bits, on NVIDIA tensor cores
    "bfloat16": lax.Precision.DEFAULT,  # 8 bits; gains on CPUs by `nst_jax.networks.products` alone
}
CONVS = ("auto", "direct", "winograd")  # algorithms, as config values; see `nst_jax.networks.convnet`
# With so few output channels, as in the gradient of the image, a CPU's vector units are mostly idle.
FEW_OUTPUTS = 4
DIMENSIONS = ("NHWC", "HWIO", "NHWC")
Kernel = TypeVar("Kernel", Array, np.ndarray)


@partial(jax.custom_vjp, nondiff_argnums=(2,))
def conv3x3(
    x: Float[Array, "b h w i"], kernel: Float[Array, "3 3 i o"], precision: str = "float32"
) -> Float[Array, "b h w o"]:
    """Cross-correlation with zero padding and stride 1; `precision` is one of `PRECISIONS`.

    The gradient with respect to `x` is again such a convolution, with the kernel rotated by 180 degrees and
    its channels swapped, and it is implemented as one. JAX's own rule swaps the dimension numbers instead.
    XLA's CPU backend rewrites that form to its fast path outside loops only; inside loops it was four times
    slower.
    """
    return _direct(x, kernel, precision)


@partial(jax.custom_vjp, nondiff_argnums=(2, 3, 4))
def strided_conv(
    x: Float[Array, "b h w i"],
    kernel: Float[Array, "k l i o"],
    stride: int,
    padding: int,
    precision: str = "float32",
) -> Float[Array, "b _ _ o"]:
    """Cross-correlation with any kernel and `stride`, and `padding` zeros at both ends of each axis.

    The gradient with respect to `x` is a convolution with the turned kernel, as for `conv3x3`.
    """
    return _convolve(x, kernel, precision, stride, ((padding, padding),) * 2)


def turned(kernel: Kernel) -> Kernel:
    """The kernel for the gradient, "k l o i": rotated by 180 degrees, with its channels swapped."""
    return kernel[::-1, ::-1].swapaxes(2, 3)


def _direct(x: Array, kernel: Array, precision: str) -> Array:
    if kernel.shape[-1] <= FEW_OUTPUTS and jax.default_backend() == "cpu":
        return _few_outputs(x, kernel, precision)
    return _convolve(x, kernel, precision)


def _few_outputs(x: Array, kernel: Array, precision: str) -> Array:
    """Convolve with the three rows of the kernel as separate 1x3 filters, then add the shifted responses."""
    by_row = kernel.transpose(1, 2, 0, 3).reshape(1, 3, kernel.shape[2], -1)
    responses = lax.optimization_barrier(_convolve(x, by_row, precision))
    above, level, below = jnp.split(jnp.pad(responses, ((0, 0), (1, 1), (0, 0), (0, 0))), 3, axis=-1)
    return above[:, :-2] + level[:, 1:-1] + below[:, 2:]


def _convolve(
    x: Array,
    kernel: Array,
    precision: str,
    stride: int = 1,
    padding: str | Sequence[tuple[int, int]] = "SAME",
    spacing: int = 1,
) -> Array:
    """Convolve; the inputs are `spacing` apart, with zeros between them."""
    y = lax.conv_general_dilated(
        _rounded(x, precision),
        _rounded(kernel, precision),
        (stride, stride),
        padding,
        lhs_dilation=(spacing, spacing),
        dimension_numbers=DIMENSIONS,
        precision=PRECISIONS[precision],
    )
    return y.astype(x.dtype)


def _rounded(operand: Array, precision: str) -> Array:
    """An operand in the type for `precision`: bfloat16 for 'bfloat16', else unchanged."""
    return operand.astype(jnp.bfloat16) if precision == "bfloat16" else operand


def _backward(precision: str, residuals: tuple[Array, Array], cotangent: Array) -> tuple[Array, Array]:
    x, kernel = residuals
    # XLA removes this when only the gradient of the image is used.
    kernel_gradient = jax.vjp(lambda k: _direct(x, k, "float32"), kernel)[1](cotangent)[0]
    return conv3x3(cotangent, turned(kernel), precision), kernel_gradient


conv3x3.defvjp(lambda x, kernel, *how: (conv3x3(x, kernel, *how), (x, kernel)), _backward)


def _strided_backward(
    stride: int, padding: int, precision: str, residuals: tuple[Array, Array], cotangent: Array
) -> tuple[Array, Array]:
    x, kernel = residuals
    ends = []  # of the gradient, which has the size of `x`
    for axis in (1, 2):
        size = kernel.shape[axis - 1]
        unused = (x.shape[axis] + 2 * padding - size) % stride  # inputs after the last window
        ends.append((size - 1 - padding, size - 1 - padding + unused))
    of_x = _convolve(cotangent, turned(kernel), precision, 1, ends, stride)
    pads = ((padding, padding),) * 2
    # XLA removes this when only the gradient of the image is used.
    of_kernel = jax.vjp(lambda k: _convolve(x, k, "float32", stride, pads), kernel)[1](cotangent)[0]
    return of_x, of_kernel


strided_conv.defvjp(lambda x, kernel, *how: (strided_conv(x, kernel, *how), (x, kernel)), _strided_backward)
