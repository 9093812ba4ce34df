"""A variable from outside: no line of the package changes for it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nst_jax.config import from_dict
from nst_jax.errors import UserError
from nst_jax.methods.gatys import Session
from nst_jax.runs.folder import RunFolder
from nst_jax.transfer.painting import paint
from nst_jax.transfer.preparing import prepare
from nst_jax.variables.fourier import fourier
from nst_jax.variables.variable import Variable
from tests.command import metrics
from tests.seams.jobs import run, settings

# The logarithm of the odds of each value, in single rows: the picture never leaves [0, 1].
ODDS = Variable(
    init=lambda canvas: jnp.zeros((1, *canvas.size, 0)),
    encode=lambda basis, picture: jnp.log(
        jnp.clip(picture, 0.01, 0.99) / (1 - jnp.clip(picture, 0.01, 0.99))
    ).reshape(1, 1, -1, 3),
    decode=lambda basis, odds: jax.nn.sigmoid(odds).reshape(*basis.shape[:3], 3),
)


def painted(weights, folder, variable=ODDS, **fields):
    values = settings(weights, init="content", content_weight=1e-4, **fields)
    return values, run(values, folder, Session([prepare(from_dict(values))], variable=variable))


@pytest.mark.parametrize("name", ["lbfgs", "adam"])
def test_a_variable_paints_at_every_scale(tiny_weights, tmp_path, name):
    optimizer = {"name": name, "steps": 6, "learning_rate": 0.1}
    _, outcome = painted(tiny_weights, tmp_path, scales=(0.5, 1.0), optimizer=optimizer)
    assert (outcome.status, outcome.steps) == ("done", 12)
    assert outcome.image.shape[3] == 3
    lines = metrics(tmp_path)
    for scale in (0.5, 1.0):
        totals = [line["total"] for line in lines if line["scale"] == scale]
        assert totals[-1] < totals[0]
    assert 0 < outcome.image.min() < outcome.image.max() < 1, "a sigmoid"


def test_it_is_another_way_to_the_same_objective(tiny_weights, tmp_path):
    """Both begin with the same picture; its loss is that of the pixels."""
    values, _ = painted(tiny_weights, tmp_path / "odds")
    run(values, tmp_path / "pixels")
    odds, pixels = (metrics(tmp_path / name) for name in ("odds", "pixels"))
    assert odds[0]["style"] == pytest.approx(pixels[0]["style"], rel=0.02)
    assert odds[-1]["total"] != pixels[-1]["total"]


def test_spectra_paint_too(tiny_weights, tmp_path):
    _, outcome = painted(tiny_weights, tmp_path, fourier(), optimizer={"name": "lbfgs", "steps": 10})
    lines = metrics(tmp_path)
    assert outcome.status == "done"
    assert lines[-1]["total"] < 0.9 * lines[0]["total"]


def test_an_interrupted_run_goes_on(tiny_weights, tmp_path):
    values, expected = painted(tiny_weights, tmp_path / "whole")
    job = prepare(from_dict(values))
    session, folder = Session([job], variable=ODDS), RunFolder(tmp_path / "parts", job.config)
    (stopped,) = paint(session, [job], [folder], lambda look: look.step[0] < 2)
    assert stopped.status == "interrupted"
    saved = folder.load_checkpoint(job.identity())
    (again,) = paint(session, [job], [folder], lambda look: True, [saved])
    np.testing.assert_array_equal(again.image, expected.image)


def test_devices_cannot_share_what_has_no_rows(tiny_weights):
    values = settings(tiny_weights, devices=0)
    with pytest.raises(UserError, match="devices: 0 cannot share a variable that has no rows; use 1"):
        Session([prepare(from_dict(values))], variable=ODDS)
