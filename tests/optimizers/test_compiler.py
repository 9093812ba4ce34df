"""The compiler's options: used where they are known, left out where not."""

import jax
import jax.numpy as jnp
import pytest

from nst_jax.devices import processor
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


@pytest.mark.parametrize("units", [True, False])
def test_products_of_bfloat16_are_ynnpacks_where_there_are_units(monkeypatch, units):
    monkeypatch.setattr(processor, "multiplies_bfloat16", lambda: units)
    expected = compiler.BFLOAT16_OPTIONS if units else compiler.CPU_OPTIONS
    assert compiler.options(bfloat16=True) == expected
    assert compiler.options() == compiler.CPU_OPTIONS


def test_arrays_of_bfloat16_are_found():
    assert compiler.holds_bfloat16({"filters": [jnp.ones(2), jnp.ones(2, jnp.bfloat16)]})
    assert not compiler.holds_bfloat16({"filters": [jnp.ones(2), 3, "bfloat16"]})


def test_options_that_jaxlib_does_not_know_are_left_out(monkeypatch):
    monkeypatch.setattr(compiler, "CPU_OPTIONS", {"xla_cpu_no_such_option": ""})
    assert compiler.options() == {}
    assert "dot" in product()


def test_accelerators_have_none(monkeypatch):
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert compiler.options() == {}


def test_a_decorated_function_chooses_its_options_at_its_first_call(monkeypatch):
    @compiler.jit_at_first_call(static_argnames="power")
    def raised(x, power=2):
        return x**power

    monkeypatch.setattr(compiler, "options", lambda bfloat16: {"xla_cpu_no_such_option": ""})
    with pytest.raises(jax.errors.JaxRuntimeError, match="xla_cpu_no_such_option"):
        raised(jnp.float32(3))
    monkeypatch.undo()

    @compiler.jit_at_first_call(static_argnames="power")
    def again(x, power=2):
        return x**power

    assert [float(again(jnp.float32(3))), float(again(jnp.float32(3), power=3))] == [9, 27]
    assert again.__name__ == "again"
