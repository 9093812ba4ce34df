"""Max pooling's own gradient against JAX's."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from nst_jax.networks.pool import max_pool


def plain(x):
    return nnx.max_pool(x, (2, 2), strides=(2, 2))


def value_and_gradient(pool, x, seed):
    """The pooled `x`, and the gradient of random cotangents."""

    @jax.jit
    def evaluate(x, cotangent):
        value, backward = jax.vjp(pool, x)
        return value, backward(cotangent)[0]

    shape = jax.eval_shape(pool, x).shape
    cotangent = np.random.default_rng(seed).standard_normal(shape)
    return evaluate(x, jnp.asarray(cotangent, jnp.float32))


@pytest.mark.parametrize("shape", [(1, 8, 6, 3), (2, 7, 6, 2), (1, 6, 9, 2), (1, 5, 7, 1), (1, 2, 2, 1)])
@pytest.mark.parametrize("levels", [1, 3, 1000], ids=["all equal", "many equal", "few equal"])
def test_value_and_gradient_are_those_of_jax(shape, levels):
    x = jnp.asarray(np.random.default_rng(0).integers(0, levels, shape), jnp.float32)
    (own, gradient), (expected, expected_gradient) = (value_and_gradient(p, x, 1) for p in (max_pool, plain))
    np.testing.assert_array_equal(own, expected)
    np.testing.assert_array_equal(gradient, expected_gradient)


def test_it_can_be_batched():
    x = jnp.asarray(np.random.default_rng(0).standard_normal((3, 1, 4, 6, 2)), jnp.float32)
    gradient = jax.vmap(jax.grad(lambda x: jnp.sum(max_pool(x) ** 2)))(x)
    for one, expected in zip(gradient, x, strict=True):
        np.testing.assert_allclose(one, jax.grad(lambda x: jnp.sum(plain(x) ** 2))(expected), rtol=1e-6)


@pytest.mark.parametrize("levels", [1, 3, 1000], ids=["all equal", "many equal", "few equal"])
@pytest.mark.parametrize(("padding", "ceil"), [(0, True), (1, False), (0, False)])
@pytest.mark.parametrize("shape", [(1, 9, 8, 2), (2, 7, 10, 1), (1, 6, 3, 3)])
def test_overlapping_windows_have_the_gradient_of_jax(shape, padding, ceil, levels):
    x = jnp.asarray(np.random.default_rng(0).integers(0, levels, shape), jnp.float32)
    ends = ((padding, padding + (1 if ceil else 0)),) * 2
    own, gradient = value_and_gradient(lambda x: max_pool(x, 3, 2, padding, ceil), x, 1)
    expected, expected_gradient = value_and_gradient(lambda x: nnx.max_pool(x, (3, 3), (2, 2), ends), x, 1)
    np.testing.assert_array_equal(own, expected)
    np.testing.assert_allclose(gradient, expected_gradient, atol=1e-6)
