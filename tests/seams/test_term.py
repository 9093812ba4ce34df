"""A term from outside, with data of its own: no line of the package changes for it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

from nst_jax import images
from nst_jax.config import from_dict
from nst_jax.devices.split import ByRows
from nst_jax.errors import UserError
from nst_jax.losses.terms.term import Term
from nst_jax.losses.terms.terms import TERMS
from nst_jax.methods.gatys import Session
from nst_jax.runs.folder import RunFolder
from nst_jax.transfer.painting import paint
from nst_jax.transfer.preparing import prepare
from tests.command import ROOT, metrics, pixels
from tests.seams.jobs import run, settings

PICTURE = images.read("sample:chelsea")


def weight_map(height, width):
    """The left half of a picture."""
    return (np.arange(width) < width // 2).astype(np.float32)[None, None, :, None].repeat(height, 1)


def prepared(inputs):
    picture, where = images.resize(PICTURE, *inputs.size), weight_map(*inputs.size)
    return {"picture": ByRows(picture), "map": ByRows(where)}


def measured(seen, target):
    """The squared distance to a given picture under a weight map."""
    return jnp.sum(target["map"].values * jnp.square(seen.pixels - target["picture"].values))


NEARNESS = Term(prepared, measured, additive=True)


@pytest.fixture
def nearness(monkeypatch):
    monkeypatch.setitem(TERMS, "nearness", NEARNESS)


def nearness_settings(weights, weight=100.0, **fields):
    return settings(weights, terms={"nearness": weight}, optimizer={"name": "lbfgs", "steps": 20}, **fields)


@pytest.mark.parametrize("tile", [0, 64])
def test_a_term_paints_and_is_logged(nearness, tiny_weights, tmp_path, tile):
    values = nearness_settings(tiny_weights, size=100, tile=tile, style_weight=1e-6)
    picture = run(values, tmp_path).image
    first, *_, last = metrics(tmp_path)
    assert last["nearness"] < 0.01 * first["nearness"]
    assert first["total"] == pytest.approx(1e-6 * first["style"] + 100 * first["nearness"], rel=1e-5)
    height, width = picture.shape[1:3]
    wanted, left = images.resize(PICTURE, height, width), weight_map(height, width) > 0
    distance = np.abs(picture - wanted).mean(-1, keepdims=True)
    assert distance[left].mean() < 0.1 * distance[~left].mean()


def test_runs_with_other_weights_of_it_share_a_program(nearness, tiny_weights, tmp_path):
    # Few steps: rounding differs between one lane and two, and grows with every step.
    few = {"optimizer": {"name": "lbfgs", "steps": 8}}
    cells = [nearness_settings(tiny_weights, weight) | few for weight in (10.0, 1000.0)]
    jobs = [prepare(from_dict(values)) for values in cells]
    folders = [RunFolder(tmp_path / str(index), job.config) for index, job in enumerate(jobs)]
    session = Session(jobs, width=2)
    outcomes = paint(session, jobs, folders, lambda look: True)
    assert session.compilations == 1
    for values, outcome in zip(cells, outcomes, strict=True):
        alone = run(values, tmp_path / f"alone {values['terms']['nearness']}")
        np.testing.assert_allclose(outcome.image, alone.image, atol=2e-3)


@pytest.mark.slow
def test_a_term_over_several_devices(nearness, tiny_weights, tmp_path):
    """In a process of its own, with two simulated devices."""
    values = nearness_settings(tiny_weights, size=50, devices=2)
    two = {
        **os.environ,
        "XLA_FLAGS": "--xla_force_host_platform_device_count=2 --xla_backend_optimization_level=0",
    }
    command = [sys.executable, "-m", "tests.seams.test_term", json.dumps(values), str(tmp_path / "two")]
    done = subprocess.run(command, cwd=ROOT, env=two, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    run({**values, "devices": 1}, tmp_path / "one")
    one, two = (metrics(tmp_path / name)[0] for name in ("one", "two"))
    for name in ("total", "nearness"):
        assert two[name] == pytest.approx(one[name], rel=1e-5)
    one, two = (pixels(tmp_path / name / "result.png").astype(int) for name in ("one", "two"))
    assert np.abs(one - two).mean() < 0.255


def test_what_a_term_cannot_do_is_refused(nearness, tiny_weights, monkeypatch):
    with pytest.raises(UserError, match=r"terms: unknown 'neerness'; did you mean 'nearness'"):
        prepare(from_dict(settings(tiny_weights, terms={"neerness": 1.0})))
    with pytest.raises(UserError, match=r"terms\.nearness: -1\.0 is not a finite number >= 0"):
        prepare(from_dict(settings(tiny_weights, terms={"nearness": -1.0})))
    monkeypatch.setitem(TERMS, "nearness", Term(prepared, measured, additive=False))
    with pytest.raises(UserError, match=r"devices: 0 cannot be used with terms\.nearness"):
        prepare(from_dict(settings(tiny_weights, terms={"nearness": 1.0}, devices=0)))


if __name__ == "__main__":
    TERMS["nearness"] = NEARNESS
    run(json.loads(sys.argv[1]), Path(sys.argv[2]))
