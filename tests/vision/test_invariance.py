"""Transforms against NumPy, distances against their definition, and the command."""

import csv

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nst_jax.errors import UserError
from nst_jax.networks.vgg import VGG
from nst_jax.vision.probing import invariance
from nst_jax.vision.probing.invariance import InvarianceSettings, rotation, scale, shift, warp
from tests.command import assert_refused, call, pixels
from tests.conftest import formula_image, formula_weights

SIZE = 32
CONFIG = "--config=configs/invariance.py"
SMALL = (
    "--config.images=('sample:coffee','sample:rocket')",
    f"--config.size={SIZE}",
    "--config.shifts=(-4.0,0.0,4.0)",
    "--config.scales=(1.0,1.5)",
    "--config.rotations=(0.0,90.0)",
    "--config.high=conv3_1",
)
IMAGE = np.asarray(formula_image(SIZE, SIZE))


def settings(**changes) -> InvarianceSettings:
    fields = {"images": ("a",), "shifts": (0.0, 3.0, -2.0), "scales": (1.0, 1.3), "rotations": (0.0, 40.0)}
    return InvarianceSettings(**fields | {"size": SIZE, "high": "conv3_1", "batch": 2} | changes)


def run(workdir, *flags):
    return call(CONFIG, *SMALL, f"--workdir={workdir}", *flags, module="nst_jax.experiments.invariance")


@pytest.mark.parametrize(
    ("padding", "mode"), [("edge", {"mode": "edge"}), ("gray", {"constant_values": 0.5})]
)
@pytest.mark.parametrize("down", [-5.0, 0.0, 7.0])
def test_a_shift_is_padding_and_a_crop(down, padding, mode):
    padded = np.pad(IMAGE, ((0, 0), (8, 8), (0, 0), (0, 0)), **mode)
    expected = padded[:, 8 - int(down) : 8 - int(down) + SIZE]
    np.testing.assert_allclose(warp(IMAGE, shift(down, SIZE), padding), expected, atol=1e-6)


@pytest.mark.parametrize("quarters", [0, 1, 2, 3])
def test_quarter_turns_are_rot90(quarters):
    turned = warp(IMAGE, rotation(90.0 * quarters, SIZE), "edge")
    np.testing.assert_allclose(turned, np.rot90(IMAGE, quarters, axes=(1, 2)), atol=1e-4)


def test_scaling_shows_the_middle_larger():
    ramp = np.broadcast_to(np.arange(SIZE, dtype=np.float32)[:, None, None] / SIZE, (1, SIZE, SIZE, 3))
    expected = 15.5 + (np.arange(SIZE) - 15.5) / 1.6
    np.testing.assert_allclose(warp(ramp, scale(1.6, SIZE), "edge")[0, :, 4, 1], expected / SIZE, atol=1e-6)


def test_distances_are_numpy_norms_and_nothing_for_the_unchanged_picture():
    network, chosen = VGG(formula_weights()), settings()
    for transforms in chosen.transforms().values():
        found = invariance.measure_invariance(network, None, IMAGE, list(transforms.values()), chosen)
        np.testing.assert_array_equal(found[0], 0)
        for line, transform in zip(found[1:], list(transforms.values())[1:], strict=True):
            moved = network(warp(IMAGE, transform, "edge"), chosen.layers())
            still = network(jnp.asarray(IMAGE), chosen.layers())
            expected = [np.linalg.norm(np.ravel(moved[k] - still[k])) for k in chosen.layers()]
            np.testing.assert_allclose(line, expected, rtol=1e-4)
            assert min(expected) > 0


def test_a_convolution_s_features_move_with_the_picture():
    network = VGG(formula_weights())
    still = network(jnp.asarray(IMAGE), ["conv1_2"])["conv1_2"]
    moved = network(warp(IMAGE, shift(6.0, SIZE), "edge"), ["conv1_2"])["conv1_2"]
    # Two convolutions see the border from two pixels away.
    np.testing.assert_allclose(moved[:, 8:-2], still[:, 2 : -2 - 6], rtol=1e-4, atol=1e-4)


def test_probability_is_the_softmax_of_the_true_class():
    class Scores:
        layer = "pool5"

        def __call__(self, pool5):
            return pool5.mean((1, 2))[:, :3]

    jax.tree_util.register_pytree_node(Scores, lambda s: ((), None), lambda *_: Scores())
    network, chosen = VGG(formula_weights()), settings(classes=(2,))
    transforms = list(chosen.transforms()["shift"].values())
    target = invariance.Target(Scores(), np.int32(2))
    found = invariance.measure_invariance(network, target, IMAGE, transforms, chosen)
    for line, transform in zip(found, transforms, strict=True):
        scores = np.exp(Scores()(network(warp(IMAGE, transform, "edge"), ["pool5"])["pool5"])[0])
        assert line[2] == pytest.approx(scores[2] / scores.sum(), rel=1e-3)


def test_command_writes_a_line_per_transform_and_a_sheet(tiny_weights, tmp_path):
    result = run(tmp_path, f"--config.network.weights={tiny_weights}")
    assert result.returncode == 0, result.stderr
    lines = list(csv.DictReader((tmp_path / "invariance.csv").read_text().splitlines()))
    assert len(lines) == 2 * (3 + 2 + 2)
    for line in lines:
        unchanged = (line["transform"], float(line["amount"])) in [
            ("shift", 0),
            ("scale", 1),
            ("rotation", 0),
        ]
        assert (float(line["distance conv1_1"]) == 0) == unchanged
        assert (float(line["distance conv3_1"]) == 0) == unchanged
    assert pixels(tmp_path / "sheet.png").shape[1] > 4 * 320


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"low": "conv9_1"}, "low: unknown 'conv9_1'.*conv1_1, conv1_2"),
        ({"images": ()}, "images: is empty"),
        ({"rotations": ()}, "rotations: is empty"),
        ({"scales": (0.0,)}, "scales: 0.0"),
        ({"padding": "wrap"}, "padding: unknown 'wrap'; choices: edge, gray"),
        ({"classes": (1, 2)}, "classes: 2 classes for 1 images"),
        ({"size": 15}, "size: 15 is below 16"),
    ],
)
def test_settings_that_cannot_be_run_are_refused(fields, words):
    with pytest.raises(UserError, match=words):
        settings(**fields)


@pytest.mark.parametrize(
    ("flag", "words"),
    [
        ("high=pool5", ["conv5_2", "it has"]),
        ("images=('nowhere.jpg',)", ["nowhere.jpg"]),
        ("classes=(1,2)", ["classifier"]),
    ],
)
def test_what_cannot_be_read_is_one_line(tmp_path, flag, words):
    assert_refused(run(tmp_path, f"--config.{flag}"), *words)
    assert not list(tmp_path.iterdir())
