"""Pictures that units want: the spectrum, the objective, and that the unit meant is the one that fires."""

import json

import jax.numpy as jnp
import numpy as np
import pytest

from experiments.maximize import MaximizeSettings
from nst_jax.config import OptimizerConfig, fields
from nst_jax.errors import UserError
from nst_jax.networks.vgg import VGG
from nst_jax.optimizers.methods import find_method
from nst_jax.optimizers.optimizer import Optimizer
from nst_jax.vision import maximize
from nst_jax.vision.maximize import UnitTarget
from tests.command import assert_refused, call, pixels
from tests.conftest import formula_image, formula_weights

LAYER = "conv2_1"


def target(unit: int, tv_weight: float = 5.0) -> UnitTarget:
    return UnitTarget(jnp.int32(unit), jnp.zeros(2, jnp.int32), jnp.float32(tv_weight))


def optimizer(name: str = "adam") -> Optimizer:
    return Optimizer(maximize.unit_objective(LAYER), find_method(OptimizerConfig(name)))


def test_hartley_is_the_sum_of_cosines_and_sines_and_its_own_inverse():
    x = formula_image(5, 6)
    rows, columns = np.outer(np.arange(5), np.arange(5)) / 5, np.outer(np.arange(6), np.arange(6)) / 6
    phase = 2 * np.pi * (rows[:, :, None, None] + columns)  # k, y, l, x
    expected = np.einsum("kylx,byxc->bklc", np.cos(phase) + np.sin(phase), x) / np.sqrt(30)
    np.testing.assert_allclose(maximize.hartley(x), expected, atol=1e-5)
    np.testing.assert_allclose(maximize.hartley(maximize.hartley(x)), x, atol=1e-5)


def test_a_frequency_is_a_wave_of_amplitude_one_over_f():
    amplitudes = {}
    for k in (1, 2, 4, 8):
        spectrum = jnp.zeros((1, 24, 32, 3)).at[0, 0, k, 0].set(0.01)
        shown = np.asarray(maximize.picture(spectrum))[0, :, :, 0]
        logit = np.log(shown / (1 - shown))
        wave = np.abs(np.fft.rfft(logit[0]))
        assert wave.argmax() == k
        amplitudes[k] = k * wave[k]
    np.testing.assert_allclose([*amplitudes.values()], amplitudes[8], rtol=0.02)


def test_the_loss_is_of_the_shifted_picture():
    network, spectrum = VGG(formula_weights()), 0.5 * formula_image(20, 24)
    shifted = np.roll(np.asarray(maximize.picture(spectrum)), (3, -5), (1, 2))
    F = np.asarray(network(jnp.asarray(shifted), (LAYER,))[LAYER])
    steps = [np.square(np.diff(shifted, axis=axis)).sum() for axis in (1, 2)]
    expected = 5 * sum(steps) / shifted.size - np.log(F[..., 2].mean() + 1e-3)
    moved = target(2)._replace(shift=jnp.array([3, -5]))
    loss, _ = maximize.unit_objective(LAYER)(network, moved, spectrum)
    assert float(loss) == pytest.approx(float(expected), rel=1e-5)


def test_each_picture_fires_its_own_unit_most():
    network = VGG(formula_weights())
    adam, units = optimizer(), range(3)
    found = [maximize.maximize(adam, network, target(unit), 0.05, 24, 40, 4, seed=0) for unit in units]
    fired = np.stack([network(jnp.asarray(shown), (LAYER,))[LAYER].mean((0, 1, 2)) for _, shown in found])
    np.testing.assert_array_equal(fired[:, : len(units)].argmax(0), units)
    start = network(jnp.asarray(found[0][0]), (LAYER,))[LAYER].mean((0, 1, 2))
    assert all(fired[unit, unit] > 1.5 * start[unit] for unit in units)


def test_the_same_seed_gives_the_same_picture_and_another_another():
    network, adam = VGG(formula_weights()), optimizer()
    once, again, other = (
        maximize.maximize(adam, network, target(1), 0.05, 16, 5, 4, seed)[1] for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(once, again)
    assert np.abs(once - other).max() > 0.05


def test_a_loss_that_is_not_finite_is_said():
    network = VGG(formula_weights())
    with pytest.raises(UserError, match=r"optimizer\.learning_rate: 0\.05 makes the loss non-finite"):
        maximize.maximize(optimizer("gd"), network, target(1, np.nan), 0.05, 16, 2, 0, seed=0)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"layer": "conv6_1"}, "layer: unknown 'conv6_1'; .*conv1_1"),
        ({"units": ()}, "units: is empty"),
        ({"units": ("a",)}, r"units: expected int, got 'a'"),
        ({"jitter": -1}, "jitter: -1 is below 0"),
        ({"tv_weight": -1.0}, "tv_weight: -1.0 is not a finite number >= 0"),
        ({"size": 16, "layer": "pool5"}, "size: 16 pixels are too few for pool5"),
        ({"optimizer": {"name": "lbfgs"}}, "optimizer.name: lbfgs .*jitter=0"),
        ({"unit": 3}, "unknown 'unit'; did you mean 'units'"),
    ],
)
def test_bad_fields_are_named(values, message):
    with pytest.raises(UserError, match=message):
        fields.from_config(MaximizeSettings, values)


def flags(weights, folder, units):
    settings = {"network.weights": weights, "layer": LAYER, "units": units, "size": 24, "optimizer.steps": 8}
    overrides = [f"--config.{name}={value}" for name, value in settings.items()]
    return ["--config=configs/maximize.py", f"--workdir={folder}", *overrides]


def test_the_command_leaves_pictures_a_sheet_and_the_activations(tiny_weights, tmp_path):
    result = call(*flags(tiny_weights, tmp_path, "(4,1)"), module="experiments.maximize")
    assert result.returncode == 0, result.stderr
    record = json.loads((tmp_path / "maximize.json").read_text())
    assert record["network"]["name"] == "tiny.safetensors"
    assert [unit["unit"] for unit in record["units"]] == [4, 1]
    network = VGG(formula_weights())
    for unit in record["units"]:
        shown = pixels(tmp_path / unit["picture"])
        assert shown.shape == (24, 24, 3)
        F = network(jnp.asarray(shown[None] / 255, jnp.float32), (LAYER,))[LAYER]
        assert unit["reached"] == pytest.approx(float(F[..., unit["unit"]].mean()), rel=0.01)
        assert unit["reached"] > unit["start"] > 0
    assert pixels(tmp_path / "sheet.png").shape[1] > 2 * 256


def test_a_unit_that_does_not_exist_is_refused_before_anything_is_written(tiny_weights, tmp_path):
    folder = tmp_path / "run"
    result = call(*flags(tiny_weights, folder, "(1,6)"), module="experiments.maximize")
    assert_refused(result, "units: conv2_1 has no unit 6", "choices: 0 to 5")
    assert not folder.exists()
