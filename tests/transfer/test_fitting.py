"""Panoramas: scales that are too small for a picture are left out, and what cannot be painted says why."""

import json

import numpy as np
import pytest

from nst_jax import images
from nst_jax.config import from_dict
from nst_jax.errors import UserError
from nst_jax.sweeps import plan
from nst_jax.sweeps.fitting_runs import fitting_runs
from nst_jax.transfer.fitting import with_fitting_scales
from nst_jax.transfer.preparing import prepare
from tests.command import call, pixels
from tests.command import tiny as tiny_flags
from tests.sweeps.cells import varied


@pytest.fixture
def folder(tmp_path):
    """Two photos, a panorama of 20:1, and one of 50:1."""
    for name, height, width in [("a", 96, 128), ("b", 128, 96), ("wide", 80, 1600), ("wider", 32, 1600)]:
        images.write(tmp_path / "photos" / f"{name}.png", np.full((1, height, width, 3), 0.5, np.float32))
    return tmp_path / "photos"


def config_for(folder, name, **fields):
    """Half a thousand pixels from coarse to fine; conv5_1 needs 16."""
    scales = {"scales": (0.25, 0.5, 1.0), "optimizer": {"steps": (30, 20, 10)}}
    return from_dict({"content": str(folder / f"{name}.png"), "size": 512, **scales, **fields})


def test_scales_that_are_too_small_are_left_out(folder):
    """A shorter side of 26 pixels at full size, 13 and 6 at the other scales."""
    fitting, note = with_fitting_scales(config_for(folder, "wide"))
    assert (fitting.scales, fitting.steps_by_scale()) == ((1.0,), (10,))
    assert note.startswith("scales: left out 0.25, 0.5: ")
    assert "wide.png would have a shorter side of 6 pixels, and conv5_1 needs 16" in note
    assert with_fitting_scales(fitting) == (fitting, "")
    fitting, _ = with_fitting_scales(config_for(folder, "wide", size=700))
    assert (fitting.scales, fitting.steps_by_scale()) == ((0.5, 1.0), (20, 10))
    whole = config_for(folder, "a")
    assert with_fitting_scales(whole) == (whole, "")


def test_a_panorama_may_be_the_style(folder):
    config = config_for(folder, "a", style=str(folder / "wide.png"))
    assert with_fitting_scales(config)[0].scales == (1.0,)
    named = config_for(folder, "a", styles={"x": {"image": f"folder:{folder}", "scale": 2.0}})
    assert with_fitting_scales(named)[0].scales == (1.0,), "the widest has 5, 10 and 20 pixels"


def test_the_refusal_names_a_size_that_works(folder):
    with pytest.raises(UserError) as caught:
        with_fitting_scales(config_for(folder, "wider"))
    message = str(caught.value)
    assert "size: 512 leaves a shorter side of 10 pixels; conv5_1 needs 16" in message
    assert "wider.png" in message
    assert (
        "use --config.size=775 or more or content_layers and style_layers no deeper than conv4_4" in message
    )
    assert with_fitting_scales(config_for(folder, "wider", size=775))[0].scales == (1.0,)
    with pytest.raises(UserError, match=r"--config\.size=775 or"):
        with_fitting_scales(config_for(folder, "wider", size=774))


def test_both_checks_agree_at_every_size(folder, tiny_weights):
    network = {"arch": "slim", "weights": str(tiny_weights)}
    for size in range(610, 660, 3):
        config, _ = with_fitting_scales(config_for(folder, "wide", network=network, size=size))
        prepare(config)


def test_unreadable_pictures_are_left_to_reading(folder):
    for changes in ({"content": "missing.png"}, {"style": "folder:missing"}):
        config = config_for(folder, "a", **changes)
        assert with_fitting_scales(config) == (config, "")


def test_one_panorama_does_not_refuse_a_folder(folder, caplog):
    base = {"size": 512, "scales": (0.25, 1.0)}
    runs = plan.plan_runs(base, varied([f"content=folder:{folder}"]))
    fitting = fitting_runs(runs)
    assert [run.folder for run in fitting] == ["0_a", "1_b", "2_wide"]
    assert [run.config.scales for run in fitting] == [(0.25, 1.0), (0.25, 1.0), (1.0,)]
    left_out, dropped = caplog.messages
    assert left_out.endswith("conv5_1 needs 16 (run 2_wide)")
    assert dropped.startswith("left out of the sweep: size: 512 leaves a shorter side of 10 pixels")
    assert dropped.endswith("(run 3_wider)")


def test_a_sweep_that_is_impossible_is_refused(folder):
    for flags in ([f"content={folder / 'wider.png'}"], ["size=64,512"]):
        cells = varied(flags, [((), {"content": str(folder / "wider.png")})])
        with pytest.raises(UserError, match="leaves a shorter side of"):
            fitting_runs(plan.plan_runs({}, cells))


def test_a_panorama_is_painted_and_resumed_from_the_command_line(folder, tiny_weights, tmp_path):
    fields = {"content": folder / "wide.png", "scales": "(0.25,1.0)", "optimizer.steps": "(3,2)", "size": 330}
    flags = tiny_flags(tiny_weights, tmp_path / "run", shallow=False, **fields)
    result = call(*flags)
    assert result.returncode == 0, result.stderr
    assert "scales: left out 0.25" in result.stderr
    assert pixels(tmp_path / "run" / "result.png").shape == (16, 330, 3)
    assert json.loads((tmp_path / "run" / "config.json").read_text())["scales"] == [1.0]
    assert "finished already" in call(*flags, "--resume").stdout
