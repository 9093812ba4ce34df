"""Sheets of top patches from Python."""

import numpy as np
import pytest

import nst_jax
from nst_jax import UserError, images
from nst_jax.experiments import top_patches as command
from tests.command import pixels
from tests.conftest import formula_image


@pytest.fixture
def fields(tiny_weights, tmp_path):
    for phase in range(3):
        images.write(tmp_path / f"data/{phase}.png", np.asarray(formula_image(70, 80, phase)))
    return {"data": f"folder:{tmp_path}/data", "size": 64, "top": 4, "network__weights": str(tiny_weights)}


def test_a_sheet_shows_the_units_that_are_asked_for(fields):
    one = nst_jax.top_patches("conv2_1", [3], **fields)
    two = nst_jax.top_patches("conv2_1", [3, 5], **fields)
    assert two.width > one.width
    assert two.height == one.height
    np.testing.assert_array_equal(np.asarray(two)[:, : one.width - 20], np.asarray(one)[:, :-20])
    assert np.asarray(one).std() > 10


def test_refused(fields):
    with pytest.raises(UserError, match=r"units: .*99"):
        nst_jax.top_patches("conv2_1", [99], **fields)
    with pytest.raises(UserError, match=r"layers: unknown 'conv9_1'"):
        nst_jax.top_patches("conv9_1", **fields)
    with pytest.raises(UserError, match=r"sizes.*did you mean 'size'"):
        nst_jax.top_patches("conv2_1", sizes=3)


def test_a_target_ranks_by_relevance_as_the_command_does(fields, tiny_weights, tmp_path):
    by_activation = nst_jax.top_patches("conv2_1", [3, 5], **fields)
    ranked = nst_jax.top_patches("conv2_1", [3, 5], target="conv2_2:1", **fields)
    assert (np.asarray(ranked) != np.asarray(by_activation)).any()
    given = {**fields, "layers": "('conv2_1',)", "units": "3,5", "target": "conv2_2:1"}
    given = {name.replace("__", "."): value for name, value in given.items()}
    flags = [f"--config.{name}={value}" for name, value in given.items()]
    assert command.main(["", "--config=top_patches", f"--workdir={tmp_path}/run", *flags]) == 0
    np.testing.assert_array_equal(np.asarray(ranked), pixels(tmp_path / "run/conv2_1.png"))


def test_fields_without_effect_are_said(fields, caplog):
    with pytest.raises(UserError, match=r"layers: .* draws one layer"):
        nst_jax.top_patches("conv2_1", [3], layers=("conv1_1",), **fields)
    nst_jax.top_patches("conv2_1", [3], export=True, quantiles=(0.5,), **fields)
    assert "quantiles, export: no effect on the sheet" in caplog.text
