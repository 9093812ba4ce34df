"""The compiler's options: used where they are known, left out where not."""

import jax
import jax.numpy as jnp
import pytest

from nst_jax.optimizers import compiler


@pytest.fixture(autouse=True)
def forget():
    compiler.options.cache_clear()
    yield
    compiler.options.cache_clear()


def product():
    factors = jnp.ones((36, 256, 128)), jnp.ones((36, 128, 128))
    return compiler.jit(lambda a, b: jnp.einsum("pti,pio->pto", a, b)).lower(*factors).compile().as_text()


def test_products_on_a_cpu_are_not_ynnpacks():
    assert compiler.options() == compiler.CPU_OPTIONS
    assert "ynn_fusion" not in product()


def test_options_that_jaxlib_does_not_know_are_left_out(monkeypatch):
    monkeypatch.setattr(compiler, "CPU_OPTIONS", {"xla_cpu_no_such_option": ""})
    assert compiler.options() == {}
    assert "dot" in product()


def test_accelerators_have_none(monkeypatch):
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert compiler.options() == {}
