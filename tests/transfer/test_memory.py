"""How many lanes fit follows the memory that is free."""

import jax
import jax.numpy as jnp
import pytest

from nst_jax.transfer import memory
from tests.descents import make_optimizer


@pytest.mark.parametrize(
    ("backend", "free", "lanes"),
    [("cpu", 2**40, 1), ("gpu", 0, 1)],
    ids=["plenty on a CPU", "none on a GPU"],
)
def test_lanes_follow_the_memory(monkeypatch, backend, free, lanes):
    monkeypatch.setattr(memory, "free_memory_bytes", lambda: free)
    monkeypatch.setattr(jax, "default_backend", lambda: backend)
    assert affordable() == lanes


def test_twice_the_memory_holds_twice_the_lanes(monkeypatch):
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    monkeypatch.setattr(memory, "free_memory_bytes", lambda: 2**27)
    once = affordable()
    monkeypatch.setattr(memory, "free_memory_bytes", lambda: 2**28)
    assert once > 1
    assert affordable() == pytest.approx(2 * once, abs=1)


def test_this_machine_has_memory():
    assert memory.free_memory_bytes() > 2**20


def affordable():
    image = jax.ShapeDtypeStruct((1, 16, 16, 3), jnp.float32)
    optimizer = make_optimizer("adam", lambda shared, target, image: jnp.sum((image - target) ** 2))
    return memory.affordable_lanes(lambda: memory.lane_bytes(optimizer, None, image, image))
