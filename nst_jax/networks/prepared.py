"""3x3 convolutions by algorithms that prepare their filters in advance."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float

# (the picture "h w i", prepared filters) -> "h w o"
Convolve = Callable[[Array, Array], Array]
PreparedConv = Callable[[Float[Array, "b h w i"], Array, Array], Float[Array, "b h w o"]]


def with_prepared_filters(convolve: Convolve) -> PreparedConv:
    """The convolution `conv3x3(x, filters, turned)` of batches by `convolve`, and its gradient.

    `convolve` computes the cross-correlation of one picture, padded by zeros, with stride 1. `filters` are
    prepared for it from the kernel, and `turned` from the kernel of the gradient with respect to `x`. Inside
    a loop, XLA would prepare them again in every iteration.
    """
    # The inner jit is compiled with its caller, but traced only once per shape. Under vmap (lanes of a sweep,
    # pictures of a batch) inputs are processed one after another, because each one keeps all cores busy.
    single = jax.jit(jax.custom_batching.sequential_vmap(convolve))

    def each(x: Array, filters: Array) -> Array:
        if x.shape[0] == 1:
            return single(x[0], filters)[None]
        return jax.vmap(single, (0, None))(x, filters)

    @jax.custom_vjp
    def conv3x3(x: Array, filters: Array, turned: Array) -> Array:
        return each(x, filters)

    def forward(x: Array, filters: Array, turned: Array) -> tuple[Array, tuple[Array, Array]]:
        return each(x, filters), (filters, turned)

    def backward(residuals: tuple[Array, Array], cotangent: Array) -> tuple[Array, Array, Array]:
        # Filters are constants; their gradient is NaN by design, so that using it by mistake is noticed.
        of_filters, of_turned = (jnp.full_like(array, jnp.nan) for array in residuals)
        return each(cotangent, residuals[1]), of_filters, of_turned

    conv3x3.defvjp(forward, backward)
    return conv3x3
