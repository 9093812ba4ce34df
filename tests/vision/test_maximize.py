"""Pictures that units want: motions, objectives, and that the unit meant is the one that fires."""

import json
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nst_jax.config import OptimizerConfig, fields
from nst_jax.errors import UserError
from nst_jax.networks.network import PRE
from nst_jax.networks.vgg import VGG
from nst_jax.optimizers.methods import find_method
from nst_jax.variables.fourier import fourier
from nst_jax.variables.variable import Canvas
from nst_jax.vision.maximizing import maximize, objectives, transforms
from nst_jax.vision.maximizing.maximize import Penalties, Wanted
from nst_jax.vision.maximizing.maximize_settings import MaximizeSettings
from nst_jax.vision.maximizing.transforms import Motion
from tests.command import assert_refused, call, pixels
from tests.conftest import formula_image, formula_weights

LAYER, WIDTH = "conv2_1", 6
MODULE = "nst_jax.experiments.maximize"

NO_MOTION = (0, 0.0, 0.0)


class Pictures(NamedTuple):
    noise: np.ndarray
    pictures: np.ndarray


def motion(down=0.0, right=0.0, angle=0.0, factor=1.0) -> Motion:
    return Motion(jnp.float32([down, right]), jnp.float32(angle), jnp.float32(factor))


def one(unit: int) -> jnp.ndarray:
    return jnp.zeros(WIDTH).at[unit].set(1.0)


def painted(
    direction, objective="channel", pictures=1, seed=0, steps=40, size=24, moving=True, tv=5.0, diversity=0.0
):
    variable, adam = fourier(contrast=3.0), find_method(OptimizerConfig("adam"))
    basis = variable.init(Canvas((size, size)))
    noise, motions = jax.random.split(jax.random.key(seed))
    start = 0.5 * jax.random.normal(noise, (1, pictures * size, size, 3))
    within = (4, 5.0, 0.05) if moving else NO_MOTION
    wanted = Wanted(
        basis,
        direction,
        jnp.float32(1),
        transforms.random_motions(motions, steps + 1, within),
        jnp.int32(0),
        Penalties(jnp.float32(tv), jnp.float32(diversity)),
    )
    lanes = maximize.maximizer(LAYER, objective, variable, adam)
    (found,) = maximize.paint_responses(lanes, VGG(formula_weights()), wanted, start, 0.05, [steps])
    return Pictures(*(np.asarray(variable.decode(basis, array)) for array in (start, found)))


def responses(pictures, objective, direction):
    F = VGG(formula_weights())(jnp.asarray(pictures), (LAYER,))[LAYER]
    return np.asarray(objectives.OBJECTIVES[objective](F, direction))


def test_whole_shifts_move_pixels_and_quarter_turns_turn_them():
    image = formula_image(21, 21)
    shifted = np.asarray(transforms.moved(image, motion(3, -5)))
    np.testing.assert_allclose(shifted[:, 3:, :-5], image[:, :-3, 5:], atol=1e-6)
    np.testing.assert_allclose(shifted[:, :3], 0.5, atol=1e-6)
    turned = transforms.moved(image, motion(angle=np.pi / 2))
    np.testing.assert_allclose(turned, np.rot90(image, 1, axes=(1, 2)), atol=1e-4)


def test_a_larger_picture_shows_its_middle():
    ramp = jnp.broadcast_to(jnp.arange(21.0)[:, None, None] / 21, (1, 21, 21, 3))
    expected = (10 + (np.arange(21) - 10) / 1.5) / 21
    np.testing.assert_allclose(transforms.moved(ramp, motion(factor=1.5))[0, :, 4, 1], expected, atol=1e-6)


def test_random_motions_stay_within_their_limits_and_fill_them():
    shift, angle, factor = transforms.random_motions(jax.random.key(0), 500, (3, 20.0, 0.2))
    assert set(np.asarray(shift).ravel()) == set(range(-3, 4))
    assert 0.9 * 20 < np.rad2deg(np.abs(angle).max()) <= 20
    assert 0.79 < factor.min() < 0.85 < 1.15 < factor.max() < 1.21
    still = transforms.random_motions(jax.random.key(0), 2, NO_MOTION)
    np.testing.assert_array_equal(transforms.moved(formula_image(9, 8), Motion(*(p[0] for p in still))),
                                  formula_image(9, 8))  # fmt: skip


def test_objectives_are_what_they_say():
    F = jnp.asarray(np.random.default_rng(0).random((2, 4, 5, 3)), jnp.float32)
    d = jnp.float32([1, -2, 0.5])
    np.testing.assert_allclose(objectives.unit(F, d), F[:, 2, 2] @ d, rtol=1e-5)
    np.testing.assert_allclose(objectives.channel(F, d), np.mean(F @ d, (1, 2)), rtol=1e-5)
    np.testing.assert_allclose(
        objectives.layer_energy(F, d), np.sqrt(np.mean(np.square(F), (1, 2, 3))), rtol=1e-5
    )
    grams = [np.einsum("hwi,hwj->ij", f, f).ravel() for f in np.asarray(F)]
    cosine = grams[0] @ grams[1] / np.linalg.norm(grams[0]) / np.linalg.norm(grams[1])
    assert float(objectives.similarity(F)) == pytest.approx(cosine, rel=1e-4)
    assert float(objectives.similarity(F[:1])) == 0


def test_the_loss_is_of_the_moved_picture():
    network, still = VGG(formula_weights()), np.asarray(formula_image(20, 24))
    F = network(transforms.moved(jnp.asarray(still), motion(3, -5)), (LAYER + PRE,))[LAYER + PRE]
    steps = [np.square(np.diff(still, axis=axis)).sum() for axis in (1, 2)]
    response = jnp.where(F < 0, 0.1, 1) * F
    expected = 5 * sum(steps) / still.size - np.arcsinh(float(response[..., 2].mean()) / 3)
    motions = Motion(*(jnp.stack(parts) for parts in zip(motion(), motion(3, -5), strict=True)))
    wanted = Wanted(
        None, one(2), jnp.float32(3), motions, jnp.int32(1), Penalties(jnp.float32(5), jnp.float32(0))
    )
    loss, _ = maximize.response_loss(LAYER, "channel")(network, wanted, jnp.asarray(still))
    assert float(loss) == pytest.approx(float(expected), rel=1e-5)


def test_each_picture_fires_its_own_unit_most():
    units = range(3)
    found = [painted(one(unit)) for unit in units]
    fired = np.stack([[responses(p.pictures, "channel", one(u))[0] for p in found] for u in range(WIDTH)])
    np.testing.assert_array_equal(fired[: len(units)].argmax(1), units)
    assert all(fired[u, u] > 1.5 * responses(found[u].noise, "channel", one(u))[0] for u in units)


@pytest.mark.parametrize(
    ("objective", "direction"), [("unit", one(5)), ("layer", one(0)), ("direction", one(1) - 0.5 * one(4))]
)
def test_every_objective_grows(objective, direction):
    found = painted(direction, objective, steps=20, moving=objective != "unit")
    before, after = (responses(each, objective, direction)[0] for each in (found.noise, found.pictures))
    assert after > 1.1 * before > 0


@pytest.mark.slow
def test_diversity_makes_pictures_differ():
    network = VGG(formula_weights())
    alike = [
        float(objectives.similarity(network(jnp.asarray(p.pictures), (LAYER,))[LAYER]))
        for p in (painted(one(1), pictures=2, steps=12, size=16, diversity=weight) for weight in (0.0, 20.0))
    ]
    assert alike[1] < alike[0] - 0.02


def test_the_same_seed_gives_the_same_picture_and_another_another():
    once, again, other = (painted(one(1), seed=seed, steps=5, size=16).pictures for seed in (0, 0, 1))
    np.testing.assert_array_equal(once, again)
    assert np.abs(once - other).max() > 0.05


def test_a_loss_that_is_not_finite_is_said():
    with pytest.raises(UserError, match=r"optimizer\.learning_rate: 0\.05 makes the loss non-finite"):
        painted(one(1), steps=2, size=16, tv=np.nan)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"layer": "conv6_1"}, "layer: unknown 'conv6_1'; .*conv1_1"),
        ({"layer": "fire5", "network": {"arch": "resnet18"}}, "layer: unknown 'fire5'; .*block2_1"),
        ({"units": ()}, "units: is empty"),
        ({"units": (2, 3, 2)}, "units: 2 is listed more than once"),
        ({"variable": "pixels"}, "variable: unknown 'pixels'; choices: fourier, phase"),
        ({"units": ("a",)}, r"units: expected int, got 'a'"),
        ({"jitter": -2}, "jitter: -2 is below 0"),
        ({"tv_weight": -2.0}, "tv_weight: -2.0 is not a finite number >= 0"),
        ({"scale": 1.0}, "scale: 1.0 is not below 1"),
        ({"pictures": 0}, "pictures: 0 is below 1"),
        ({"objective": "neuron"}, "objective: unknown 'neuron'; .*unit, channel, layer, direction"),
        ({"objective": "direction"}, "direction: '' has no weights of units"),
        ({"objective": "direction", "direction": "a:1"}, "direction: 'a:1' has no weights of units"),
        ({"objective": "layer", "data": "sample:"}, "data: patches are of units"),
        ({"size": 16, "data": "sample:"}, "size: 16 .*conv3_1; patches need 24"),
        ({"size": 16, "layer": "pool5"}, "size: 16 pixels are too few for pool5"),
        ({"optimizer": {"name": "lbfgs"}}, "optimizer.name: lbfgs .*jitter=0"),
        ({"unit": 3}, "unknown 'unit'; did you mean 'units'"),
    ],
)
def test_bad_fields_are_named(values, message):
    with pytest.raises(UserError, match=message):
        fields.from_config(MaximizeSettings, values)


def flags(file, folder, **given):
    values = {"network.weights": file, "layer": LAYER, "size": 24, "optimizer.steps": 8, **given}
    overrides = [f"--config.{name}={value}" for name, value in values.items()]
    return ["--config=configs/maximize.py", f"--workdir={folder}", *overrides]


def test_the_command_leaves_pictures_a_sheet_and_the_responses(tiny_weights, tmp_path):
    given = flags(tiny_weights, tmp_path, units="(4,1)", data="sample:", pictures=2)
    result = call(*given, module=MODULE)
    assert result.returncode == 0, result.stderr
    record = json.loads((tmp_path / "maximize.json").read_text())
    assert record["network"]["name"] == "tiny.safetensors"
    assert [unit["unit"] for unit in record["units"]] == ["4", "1"]
    for unit in record["units"]:
        shown = np.stack([pixels(tmp_path / file) for file in unit["pictures"]])
        assert shown.shape == (2, 24, 24, 3)
        found = responses(np.float32(shown / 255), "channel", one(int(unit["unit"]))).mean()
        assert unit["reached"] == pytest.approx(float(found), rel=0.05)
        assert unit["reached"] > unit["start"] > 0
        assert unit["peak"] >= unit["reached"]
        assert unit["ratio"] == pytest.approx(unit["peak"] / unit["top_patch"])
    assert pixels(tmp_path / "sheet.png").shape[1] > 2 * 3 * 200, "two pictures and the patches, twice"


def test_the_command_follows_a_direction(tiny_weights, tmp_path):
    given = flags(tiny_weights, tmp_path, objective="direction", direction="3:1.0,0:-0.5")
    assert call(*given, module=MODULE).returncode == 0
    assert pixels(tmp_path / "conv2_1_direction.png").shape == (24, 24, 3)
    given = flags(tiny_weights, tmp_path / "none", objective="direction", direction="6:1")
    assert_refused(call(*given, module=MODULE), "direction: conv2_1 has no unit 6")


def test_a_unit_that_does_not_exist_is_refused_before_anything_is_written(tiny_weights, tmp_path):
    result = call(*flags(tiny_weights, tmp_path / "run", units="(1,6)"), module=MODULE)
    assert_refused(result, "units: conv2_1 has no unit 6", "choices: 0 to 5")
    assert not (tmp_path / "run").exists()
