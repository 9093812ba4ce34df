"""Pictures of units that are off at first, of units that nothing activates, and by phases."""

import dataclasses
import json

import numpy as np
from PIL import Image

from nst_jax.config import OptimizerConfig
from nst_jax.networks.vgg import VGG
from nst_jax.vision.maximizing.maximize_settings import MaximizeSettings
from nst_jax.vision.maximizing.response_painter import ResponsePainter
from nst_jax.weights import save
from tests.command import call, pixels
from tests.conftest import formula_weights
from tests.vision.test_maximize import LAYER, MODULE, flags, one


def shifted_weights(by):
    """Weights whose units of `LAYER` are off unless their response exceeds `by`."""
    weights = formula_weights()
    arrays = {**weights.arrays, f"{LAYER}.bias": weights.arrays[f"{LAYER}.bias"] - by}
    return dataclasses.replace(weights, arrays=arrays)


def response_painter(network, **given):
    values = {
        "layer": LAYER,
        "size": 24,
        "jitter": 2,
        "optimizer": OptimizerConfig("adam", 30, 0.05),
        **given,
    }
    return ResponsePainter(network, MaximizeSettings(**values))


def test_a_unit_that_is_off_is_switched_on():
    start = response_painter(VGG(formula_weights()), optimizer=OptimizerConfig("adam", 1)).paint(
        np.asarray(one(4))
    )
    network = VGG(shifted_weights(1.5 * start.peak))
    painted = response_painter(network).paint(np.asarray(one(4)))
    assert painted.start == 0 < painted.peak
    assert 0 < painted.reached <= painted.peak


def test_a_unit_that_nothing_activates_is_said(tmp_path):
    network = VGG(shifted_weights(1e6))
    painted = response_painter(network).paint(np.asarray(one(4)))
    assert painted.peak == painted.reached == 0
    save(tmp_path / "off.safetensors", shifted_weights(1e6), "made by a formula")
    result = call(*flags(tmp_path / "off.safetensors", tmp_path / "run", units="(4,)"), module=MODULE)
    assert result.returncode == 0
    assert "conv2_1: unit 4 never fires" in result.stderr
    assert "1 x conv2_1, 1 of which never fire" in result.stdout


def test_phases_respond_and_show_what_they_respond_to(tiny_weights, tmp_path):
    given = flags(tiny_weights, tmp_path, units="(1,)", size=32, **{"optimizer.steps": 15})
    given[0] += ":phase"
    result = call(*given, module=MODULE)
    assert result.returncode == 0, result.stderr
    (unit,) = json.loads((tmp_path / "maximize.json").read_text())["units"]
    assert unit["reached"] > unit["start"]
    shown = np.asarray(Image.open(tmp_path / "conv2_1_001_transparent.png"))
    assert shown.shape == (32, 32, 4)
    np.testing.assert_array_equal(shown[:, :, :3], pixels(tmp_path / "conv2_1_001.png"))
    assert 0.08 < (shown[:, :, 3] == 255).mean() < 0.12


def test_what_another_variable_reads_is_said(caplog):
    MaximizeSettings(variable="phase", finest=3.0)
    assert "finest: has no effect with variable=phase" in caplog.text
    caplog.clear()
    MaximizeSettings(finest=3.0)
    assert not caplog.text
