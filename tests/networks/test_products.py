"""Convolutions as products of bfloat16 matrices: those of rounded factors, gradients included."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nst_jax.devices import processor
from nst_jax.networks import products
from nst_jax.networks.conv import conv3x3, turned
from nst_jax.networks.products import arrange_filters, conv3x3_by_products
from nst_jax.networks.vgg import VGG
from tests.conftest import formula_image, formula_weights
from tests.losses.objectives import make_objective, total
from tests.losses.test_objective import relative_error
from tests.networks.test_conv import arrays

WIDE = (64, 64, 66, 8, 8)


@pytest.fixture
def matrix_units(monkeypatch):
    monkeypatch.setattr(processor, "multiplies_bfloat16", lambda: True)


def by_products(x, kernel):
    kernel = np.asarray(kernel)
    return conv3x3_by_products(x, *(jnp.asarray(arrange_filters(k)) for k in (kernel, turned(kernel))))


def rounded(x):
    return x.astype(jnp.bfloat16).astype(jnp.float32)


@pytest.mark.parametrize("shape", [(1, 1, 1, 2), (2, 9, 7, 6), (1, 33, 20, 4)])
@pytest.mark.parametrize("at_once", [products.MOST_BYTES_AT_ONCE, 0], ids=["whole", "strips"])
def test_products_are_the_convolution_of_rounded_factors(monkeypatch, shape, at_once):
    monkeypatch.setattr(products, "MOST_BYTES_AT_ONCE", at_once)
    monkeypatch.setattr(products, "STRIP_BYTES", 20_000)  # 33 x 20 positions take four
    jax.clear_caches()
    x, kernel, cotangent = arrays(shape, (3, 3, shape[-1], 8), (*shape[:-1], 8))
    y, pull = jax.vjp(lambda x: by_products(x, kernel), x)
    assert relative_error(y, conv3x3(rounded(x), rounded(kernel))) < 1e-6
    _, exact = jax.vjp(lambda x: conv3x3(x, rounded(kernel)), x)
    assert relative_error(pull(cotangent)[0], exact(rounded(cotangent))[0]) < 1e-6


def algorithms(**settings):
    return {name: layer.algorithm for name, layer in VGG(formula_weights(WIDE), **settings).convs.items()}


def test_bfloat16_takes_products_for_many_channels_where_there_are_units(matrix_units):
    taken = algorithms(precision="bfloat16")
    wide = ["conv1_2", "conv2_1", "conv2_2", *(f"conv3_{i}" for i in range(1, 5))]
    assert [name for name, algorithm in taken.items() if algorithm == "products"] == wide
    assert "products" not in algorithms(precision="float32").values()
    assert "products" not in algorithms(precision="bfloat16", conv="winograd").values()


def test_without_units_bfloat16_does_not_take_products(monkeypatch, matrix_units):
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert "products" not in algorithms(precision="bfloat16").values()
    monkeypatch.undo()
    monkeypatch.setattr(processor, "multiplies_bfloat16", lambda: False)
    assert "products" not in algorithms(precision="bfloat16").values()


@pytest.mark.slow
def test_the_objective_moves_a_little(matrix_units):
    layers = {"content_layers": {"conv2_2": 1.0}, "style_layers": {"conv1_1": 0.5, "conv2_2": 0.5}}
    pictures = formula_image(32, 40, 1.0), formula_image(32, 40, 2.0)
    found = {}
    for precision in ("float32", "bfloat16"):
        network = VGG(formula_weights(WIDE), precision=precision)
        J = make_objective(network, *pictures, content_weight=1e-3, **layers)
        found[precision] = jax.value_and_grad(total, argnums=2)(network, J, formula_image(32, 40))
    (exact, g), (near, h) = found["float32"], found["bfloat16"]
    assert near == pytest.approx(float(exact), rel=0.05)
    assert near != exact
    assert jnp.vdot(g, h) > 0.99 * jnp.linalg.norm(g) * jnp.linalg.norm(h)


@pytest.mark.parametrize(
    ("flags", "expected"),
    [("fpu avx512f amx_bf16 amx_tile", True), ("fpu avx512f", False), (None, False)],
)
def test_units_are_read_from_the_system(monkeypatch, tmp_path, flags, expected):
    file = tmp_path / "cpuinfo"
    if flags:
        file.write_text(f"processor\t: 0\nflags\t\t: {flags}\nbugs\t\t: amx_bf16\n")
    monkeypatch.setattr(processor, "_CPU_INFO", file)
    monkeypatch.setattr(processor, "_lines", processor._lines.__wrapped__)
    assert processor.multiplies_bfloat16() == expected
