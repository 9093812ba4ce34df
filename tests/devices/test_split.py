"""One picture divided among simulated devices: the same values, gradients and pictures as on one."""

import json
import os
import subprocess

import numpy as np
import pytest

from nst_jax.losses.features.strips import strip_multiple
from nst_jax.networks.architectures import architecture
from tests.command import ROOT, assert_refused, call, command, metrics, pixels, tiny
from tests.devices.on_devices import COMMAND

EIGHT = {"XLA_FLAGS": "--xla_force_host_platform_device_count=8 --xla_backend_optimization_level=0"}


def on_eight_devices(arguments):
    done = subprocess.run(
        arguments, cwd=ROOT, env={**os.environ, **EIGHT}, capture_output=True, text=True, timeout=3600
    )
    assert done.returncode == 0, done.stderr
    return done


def report(what, tmp_path):
    on_eight_devices([*COMMAND, what, str(tmp_path / "report.json")])
    return json.loads((tmp_path / "report.json").read_text())


@pytest.mark.parametrize(
    "what",
    ["avg", pytest.param("max", marks=pytest.mark.slow), pytest.param("tile", marks=pytest.mark.slow)],
)
def test_loss_and_gradient_are_those_of_the_whole_picture(what, tmp_path):
    for count, found in report(what, tmp_path).items():
        assert found["rows"] * int(count) > 150, "some rows lie below the picture"
        assert found["total"] < 1e-5
        assert found["gradient"] < 1e-5
        assert found["below"] == 0
        for name, (alone, split) in found["terms"].items():
            assert split == pytest.approx(alone, rel=1e-3, abs=1e-6), name
        # One sum of everything, and one row at a time to the neighbours.
        assert set(found["exchanged"]) == {"all-reduce", "collective-permute"}
        assert found["exchanged"]["all-reduce"] == 1


@pytest.mark.slow
def test_memory_is_divided(tmp_path):
    found = {int(count): size for count, size in report("memory", tmp_path).items()}
    for count in (2, 4, 8):
        assert found[count] / found[1] < 1 / count + 0.15


def settings(devices=1, **fields):
    return {"optimizer__name": "lbfgs", "optimizer__steps": 30, "devices": devices, **fields}


def alone(weights, folder, **fields):
    done = call(*tiny(weights, folder, **settings(**fields)))
    assert done.returncode == 0, done.stderr
    return pixels(folder / "result.png").astype(int)


def assert_same_picture(picture, other):
    """Up to rounding errors, which the steps of L-BFGS amplify."""
    assert picture.shape == other.shape
    assert np.abs(picture - other).max() <= 4  # of 255
    assert np.abs(picture - other).mean() < 0.255


def test_a_split_run_gives_the_same_picture(tiny_weights, tmp_path):
    on_eight_devices(command(*tiny(tiny_weights, tmp_path / "split", **settings(4))))
    assert_same_picture(
        alone(tiny_weights, tmp_path / "alone"), pixels(tmp_path / "split/result.png").astype(int)
    )
    first, other = (metrics(tmp_path / name)[0]["total"] for name in ("alone", "split"))
    assert other == pytest.approx(first, rel=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("what", ["descents with bands", "descents without bands"])
def test_50_steps_of_lbfgs_lead_to_the_same_picture(what, tmp_path):
    for moved, difference in report(what, tmp_path).values():
        assert moved > 0.02
        assert difference < 1e-3


@pytest.mark.slow
@pytest.mark.parametrize(
    "fields",
    [
        {"devices": 2, "size": 96, "scales": "(0.5,1.0)", "optimizer__steps": 10},
        {"devices": 8, "laplacian_weight": 1.0, "tv_weight": 1e-3, "optimizer__bands": False},
        {"devices": 0, "optimizer__name": "adam"},
        {"devices": 2, "tile": 64, "size": 150, "optimizer__steps": 20},
    ],
)
def test_whatever_is_set_a_split_run_gives_the_same_picture(fields, tiny_weights, tmp_path):
    fields = {"shallow": False, **fields}
    on_eight_devices(command(*tiny(tiny_weights, tmp_path / "split", **settings(**fields))))
    picture = alone(tiny_weights, tmp_path / "alone", **{**fields, "devices": 1})
    assert_same_picture(picture, pixels(tmp_path / "split/result.png").astype(int))


@pytest.mark.slow
@pytest.mark.parametrize("bands", [True, False])
def test_a_run_goes_on_with_another_number_of_devices(bands, tiny_weights, tmp_path):
    fields = {"optimizer__steps": 30, "optimizer__bands": bands, "init": "content", "shallow": False}
    picture = alone(tiny_weights, tmp_path / "alone", **fields)
    config = json.loads((tmp_path / "alone/config.json").read_text())
    on_eight_devices([*COMMAND, "resume", json.dumps(config), str(tmp_path / "parts")])
    assert_same_picture(picture, pixels(tmp_path / "parts/result.png").astype(int))
    steps = [line["step"] for line in metrics(tmp_path / "parts")]
    assert steps == sorted(set(steps))


def test_strips_are_whole_poolings_and_hold_every_halo():
    layers = architecture("vgg19").layers
    assert strip_multiple(layers, "conv5_1", 0, rows=4) == 16
    assert strip_multiple(layers, "conv1_2", 0, rows=4) == 4
    assert strip_multiple(layers, "conv5_4", 128, rows=4) == 64  # four convolutions in a tile at stride 16
    assert strip_multiple(layers, "conv4_4", 128, rows=4) == 32


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"devices": 99}, ("devices: 99", "1 cpu device")),
        ({"devices": -1}, ("devices: -1",)),
        ({"devices": 0, "style_losses__mrf": 1.0}, ("devices: 0", "style_losses.mrf")),
        ({"devices": 0, "network__padding": "circular"}, ("devices: 0", "network.padding=circular")),
    ],
)
def test_what_cannot_be_divided_is_refused(fields, words, tiny_weights, tmp_path):
    assert_refused(call(*tiny(tiny_weights, tmp_path / "run", **fields)), *words)
    assert not (tmp_path / "run").exists()
