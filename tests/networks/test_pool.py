"""Max pooling's own gradient against JAX's."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from nst_jax.networks.pool import max_pool


def plain(x):
    return nnx.max_pool(x, (2, 2), strides=(2, 2))


@pytest.mark.parametrize("shape", [(1, 8, 6, 3), (2, 7, 6, 2), (1, 6, 9, 2), (1, 5, 7, 1), (1, 2, 2, 1)])
@pytest.mark.parametrize("levels", [1, 3, 1000], ids=["all equal", "many equal", "few equal"])
def test_value_and_gradient_are_those_of_jax(shape, levels):
    rng = np.random.default_rng(0)
    x = jnp.asarray(rng.integers(0, levels, shape), jnp.float32)
    own, backward = jax.vjp(max_pool, x)
    expected, backward_expected = jax.vjp(plain, x)
    np.testing.assert_array_equal(own, expected)
    cotangent = jnp.asarray(rng.standard_normal(own.shape), jnp.float32)
    np.testing.assert_array_equal(backward(cotangent)[0], backward_expected(cotangent)[0])


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
    own, backward = jax.vjp(lambda x: max_pool(x, 3, 2, padding, ceil), x)
    expected, backward_expected = jax.vjp(lambda x: nnx.max_pool(x, (3, 3), (2, 2), ends), x)
    np.testing.assert_array_equal(own, expected)
    cotangent = jnp.asarray(np.random.default_rng(1).standard_normal(own.shape), jnp.float32)
    np.testing.assert_allclose(backward(cotangent)[0], backward_expected(cotangent)[0], atol=1e-6)
