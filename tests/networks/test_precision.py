"""The precision of products: what the chip is told, and how far it moves the objective."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nst_jax.networks.conv import conv3x3
from nst_jax.networks.vgg import VGG
from tests.conftest import formula_image, formula_weights
from tests.losses.objectives import make_objective, total

X = jnp.asarray(np.random.default_rng(0).standard_normal((1, 7, 9, 5)), jnp.float32)
KERNEL = jnp.asarray(np.random.default_rng(1).standard_normal((3, 3, 5, 6)), jnp.float32)


@pytest.mark.parametrize(
    ("precision", "told"), [("float32", "HIGHEST"), ("tf32", "HIGH"), ("bfloat16", "DEFAULT")]
)
def test_every_product_of_value_and_gradient_is_told(precision, told):
    def loss(x):
        return jnp.sum(conv3x3(x, KERNEL, precision) ** 2)

    program = jax.jit(jax.grad(loss)).lower(X).as_text()
    products = [line for line in program.splitlines() if re.search(r"= stablehlo\.convolution", line)]
    assert len(products) == 2
    for product in products:
        assert set(re.findall(r"\b(HIGHEST|HIGH|DEFAULT)\b", product)) == {told}


def test_bfloat16_rounds_the_factors():
    found = conv3x3(X, KERNEL, "bfloat16")
    x, kernel = (a.astype(jnp.bfloat16).astype(jnp.float32) for a in (X, KERNEL))
    np.testing.assert_allclose(found, conv3x3(x, kernel), atol=2**-8 * np.abs(found).max())
    assert np.abs(found - conv3x3(X, KERNEL)).max() > 1e-3


def test_fewer_bits_move_the_objective_a_little():
    layers = {"content_layers": {"conv2_1": 1.0}, "style_layers": {"conv1_1": 0.5, "conv2_1": 0.5}}
    pictures = formula_image(32, 40, 1.0), formula_image(32, 40, 2.0)
    evaluate = jax.jit(jax.value_and_grad(total, argnums=2))
    found = {}
    for precision in ("float32", "tf32", "bfloat16"):
        network = VGG(formula_weights(), precision=precision)
        J = make_objective(network, *pictures, content_weight=1e-3, **layers)
        found[precision] = evaluate(network, J, formula_image(32, 40))
    exact = found["float32"]
    assert found["tf32"][0] == pytest.approx(float(exact[0]), rel=1e-2)
    assert found["bfloat16"][0] == pytest.approx(float(exact[0]), rel=0.05)
    assert found["bfloat16"][0] != exact[0]
    g, h = exact[1].ravel(), found["bfloat16"][1].ravel()
    assert jnp.vdot(g, h) > 0.99 * jnp.linalg.norm(g) * jnp.linalg.norm(h)
