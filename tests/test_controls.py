"""Styles, regions, colour and texture from the command line."""

import json

import pytest

from tests.command import assert_refused, call, pixels
from tests.command import tiny as tiny_flags

SWEEP = "nst_jax.sweep"
REGIONS = [
    "--config.styles.cup.image=sample:stained_glass",
    "--config.styles.cup.region=sample:coffee_cup",
    "--config.styles.table.image=sample:sunset",
    "--config.styles.table.region=sample:coffee_table",
    "--config.styles.table.mask=sample:sunset_sky",
    "--config.style_losses.sums=10",
    "--config.optimizer.steps=(2,1)",
]


def tiny(weights, workdir, **fields):
    """Flags of a run of seconds that leave the style to the test."""
    flags = tiny_flags(weights, workdir, content="sample:coffee", **fields)
    return [flag for flag in flags if not flag.startswith("--config.style=")]


def test_styles_losses_and_steps_are_added_by_flags(tiny_weights, tmp_path):
    flags = tiny(tiny_weights, tmp_path / "run", scales="(0.5,1.0)", color="pca")
    result = call(*flags, *REGIONS)
    assert result.returncode == 0, result.stderr
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert config["styles"]["table"]["mask"] == "sample:sunset_sky"
    assert config["styles"]["cup"]["weight"] == 1.0
    assert config["style_losses"] == {"gram": 1.0, "sums": 10.0}
    assert config["optimizer"]["steps"] == [2, 1]
    assert pixels(tmp_path / "run" / "result.png").shape == (32, 48, 3)


REFUSED = {
    "style beside styles": (["--config.style=sample:swirls", REGIONS[0]], "--config.style: has no effect"),
    "misspelt": (["--config.styles.cup.regoin=x"], "styles.cup.regoin: unknown 'regoin'; did you mean"),
    "loss": (["--config.style_losses.grams=1"], "style_losses: unknown 'grams'; did you mean 'gram'"),
    "steps": (["--config.optimizer.steps=(3,4)"], "optimizer.steps: (3, 4) are 2 numbers"),
    "color": (["--config.color=lab"], "color: unknown 'lab'"),
    "aspect": (
        [REGIONS[0], "--config.styles.cup.region=sample:sunset_sky"],
        "styles.cup.region: sample:sunset_sky: is 720 x 576 pixels, but its picture is 600 x 400",
    ),
    "tile": (
        ["--config.network.padding=circular", "--config.tile=64"],
        "tile: 64 cannot be used with network.p",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_bad_flags_are_refused(case, tiny_weights, tmp_path):
    flags, message = REFUSED[case]
    plain = [flag for flag in tiny(tiny_weights, tmp_path / "run") if ".steps" not in flag]
    assert_refused(call(*plain, *flags), message)
    assert not (tmp_path / "run").exists()


def test_a_gallery_shows_styles_regions_and_masks(tiny_weights, tmp_path):
    flags = tiny(tiny_weights, tmp_path / "sweep")
    vary = "--vary=styles.cup.weight=1,2"
    second = ["--config.styles.more.image=sample:swirls", "--config.styles.more.region=sample:coffee_cup"]
    result = call(*flags, *REGIONS[:5], *second, vary, module=SWEEP)
    assert result.returncode == 0, result.stderr
    assert json.loads((tmp_path / "sweep" / "sweep.json").read_text())["compilations"] == 1
    page = (tmp_path / "sweep" / "index.html").read_text()
    for caption in (
        "content: sample:coffee",
        "style cup: sample:stained_glass",
        "region of style cup: sample:coffee_cup",
        "mask of style table: sample:sunset_sky",
    ):
        assert caption in page
    assert len(list((tmp_path / "sweep" / "sources").glob("*.png"))) == 8


def test_a_seamless_texture_says_how_its_sides_are_rounded(tiny_weights, tmp_path):
    flags = tiny(tiny_weights, tmp_path, content_weight=0.0, **{"network.padding": "circular"})
    result = call(*flags)
    assert result.returncode == 0, result.stderr
    assert pixels(tmp_path / "result.png").shape == (32, 48, 3)


@pytest.mark.slow
def test_scales_are_mixed_by_way_of_a_texture(tiny_weights, tmp_path):
    small = ["size=48", "optimizer.steps=2", "scales=(1.0,)", f"network.weights={tiny_weights}"]
    flags = ["--config=configs/mix_scales.py", "--config.texture_steps=2"]
    flags += [f"--config.transfer.{field}" for field in small]
    result = call(*flags, f"--workdir={tmp_path / 'mix'}", module="nst_jax.experiments.mix_scales")
    assert result.returncode == 0, result.stderr
    configs = {
        name: json.loads((tmp_path / "mix" / name / "config.json").read_text())
        for name in ("texture", "mixed", "naive")
    }
    assert configs["texture"]["content_weight"] == 0
    assert configs["texture"]["style_layers"].keys() == {"conv1_1", "conv2_1"}
    assert configs["mixed"]["style"] == str(tmp_path / "mix" / "texture" / "result.png")
    assert configs["naive"]["styles"]["coarse"]["layers"] == ["conv3_1", "conv4_1", "conv5_1"]
    assert pixels(tmp_path / "mix" / "sheet.png").shape[0] > 2 * 256
