"""Extreme weights: the same steps in other units, and a word where no step gains anything."""

import jax.numpy as jnp
import numpy as np
import pytest

from nst_jax import images
from nst_jax.networks.trained import OXFORD, make_weights
from nst_jax.weights import save
from tests.command import assert_refused, call, tiny
from tests.conftest import formula_weights
from tests.descents import START, TARGET, descend, make_optimizer, quadratic


def times(factor):
    return lambda shared, target, image: factor * quadratic(shared, target, image)


@pytest.mark.parametrize("name", ["lbfgs", "adam"])
def test_extreme_weights_change_no_bit_of_the_steps(name):
    images_found = []
    for exponent in (-90, 60, 90):
        factor = 2.0**exponent
        state = descend(make_optimizer(name, times(factor)), 12, rate=0.05)
        images_found.append(np.asarray(state.variable))
        value = float(quadratic(None, TARGET, state.variable))
        assert float(state.value) / factor == pytest.approx(value, rel=1e-5)
        assert value < 0.2 * float(quadratic(None, TARGET, START))
    for found in images_found[1:]:
        np.testing.assert_array_equal(found, images_found[0])


def test_usual_gradients_are_left_as_they_are():
    optimizer = make_optimizer("lbfgs")
    assert float(descend(optimizer, 3).memory.factor) == 1
    assert float(descend(make_optimizer("gd", times(2.0**60)), 1, rate=2.0**-70).variable.max()) > 0
    assert jnp.isfinite(descend(optimizer, 3).value)


def test_a_run_that_gains_nothing_says_so_and_fails(tmp_path):
    """The network sees nothing of a white picture, so that no gradient leads to the style."""
    arrays = dict(formula_weights().arrays)
    arrays["conv1_1.kernel"] = np.full_like(arrays["conv1_1.kernel"], -0.01)
    arrays["conv1_1.bias"] = np.full_like(arrays["conv1_1.bias"], -1)
    blind = make_weights("blind", "slim", arrays, OXFORD)
    save(tmp_path / "blind.safetensors", blind, "sees dark pictures only")
    for name, value in (("white", 1.0), ("black", 0.0)):
        images.write(tmp_path / f"{name}.png", np.full((1, 32, 32, 3), value, np.float32))
    flags = tiny(tmp_path / "blind.safetensors", tmp_path / "run", optimizer__name="lbfgs", init="content")
    pictures = [f"--config.content={tmp_path / 'white.png'}", f"--config.style={tmp_path / 'black.png'}"]
    result = call(*flags, *pictures, "--config.content_weight=0.0")
    assert result.returncode == 2
    assert "no step lowers the loss" in result.stderr.splitlines()[-1]
    assert (tmp_path / "run" / "result.png").exists()


def test_a_weight_that_vanishes_in_float32_is_refused(tiny_weights, tmp_path):
    flags = tiny(tiny_weights, tmp_path / "run", style_weight=1e-44)
    assert_refused(call(*flags), "style_weight: 1e-44 is not a finite number >= 0 in float32")
