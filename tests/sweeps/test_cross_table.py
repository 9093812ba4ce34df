"""The cross table of a sweep over style losses: every result by every loss, and by a neutral score."""

import csv

import numpy as np
import pytest

from nst_jax import images
from nst_jax.networks.vgg import VGG
from nst_jax.sweeps import cross_table, gallery, plan
from nst_jax.sweeps.running import run_sweep
from nst_jax.sweeps.sweep_folder import Sweep
from nst_jax.transfer.pictures import Pictures
from tests.conftest import formula_weights

LOSSES = ("gram", "moments", "sliced", "w2")
SCORES = {*LOSSES, "neutral/gram", "neutral/sliced", "neutral/palette"}


@pytest.fixture(scope="module")
def runs():
    base = {
        "content": "sample:coffee",
        "style": "sample:sunset",
        "size": 64,
        "style_layers": {"conv1_1": 1.0, "conv2_1": 1.0},
    }
    return plan.plan_runs(base, [((name,), {"style_losses": {name: 1.0}}) for name in LOSSES])


def rows_for(runs, picture):
    network, inputs = VGG(formula_weights()), Pictures(run.config for run in runs)
    scores = cross_table.NeutralScores(network, inputs)
    return cross_table.cross_rows(network, runs, {run.folder: picture for run in runs}, inputs, scores)


@pytest.mark.slow
def test_the_photo_scores_one_and_the_style_nothing_by_every_loss(runs):
    content, style = (images.fit(images.read(f"sample:{name}"), 256) for name in ("coffee", "sunset"))
    rows = rows_for(runs[:1], content)
    assert set(rows[0]) == {"run", "gram", "neutral/gram", "neutral/sliced", "neutral/palette"}
    for picture, expected in ((content, 1), (style, 0)):
        for row in rows_for(runs, picture):
            assert set(row) == {"run", *SCORES}
            assert [row[name] for name in SCORES] == pytest.approx([expected] * len(SCORES), abs=1e-4)


def test_runs_of_several_styles_are_left_out(runs):
    styles = {"a": {"image": "sample:sunset"}, "b": {"image": "sample:swirls"}}
    mixed = plan.plan_runs({"style_layers": {"conv1_1": 1.0}}, [((), {"styles": styles})])
    assert not rows_for(mixed, np.zeros((1, 64, 64, 3), np.float32))


@pytest.mark.slow
def test_a_sweep_over_losses_writes_the_table_and_shows_it(tiny_weights, tmp_path):
    base = {
        "content": "sample:coffee",
        "style": "sample:sunset",
        "size": 32,
        "network": {"arch": "slim", "weights": str(tiny_weights)},
        "optimizer": {"name": "adam", "steps": 4},
        "style_layers": {"conv1_1": 1.0, "conv2_1": 1.0},
        "content_weight": 0.0,
        "init": "content",
    }
    cells = [((name,), {"style_losses": {name: 1.0}}) for name in ("moments", "sliced")]
    sweep = Sweep.open(tmp_path / "sweep", "losses", plan.plan_runs(base, cells), False)
    assert run_sweep(sweep)
    page = gallery.write_gallery(sweep).read_text()
    with (sweep.path / "cross_table.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["run"] for row in rows] == ["0_moments", "1_sliced"]
    for row in rows:
        assert float(row["moments"]) > 0
        assert float(row["sliced"]) > 0
        assert f"<td>{gallery.short(float(row['sliced']))}</td>" in page
    assert page.count('<table class="sortable">') == 2


def test_other_sweeps_have_no_cross_table(runs):
    assert cross_table.crosses_losses(runs)
    assert not cross_table.crosses_losses(plan.plan_runs({}, [((), {"seed": 0}), ((), {"seed": 1})]))
