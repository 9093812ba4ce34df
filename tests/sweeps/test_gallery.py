"""What a sweep leaves to look at: sheets laid out by labels, a table, a page that needs nothing else."""

import csv
import json
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pytest
from PIL import Image

from nst_jax import images
from nst_jax.config import from_dict
from nst_jax.figures.sheets import LABEL_SIZE, MARGIN, sweep_sheet
from nst_jax.networks.vgg import VGG
from nst_jax.sweeps import gallery, judging, plan
from nst_jax.sweeps.running import run_sweep
from nst_jax.sweeps.sweep_folder import Sweep
from nst_jax.transfer.pictures import Pictures
from tests.conftest import formula_image, formula_weights

RED, GREEN, BLUE = np.eye(3, dtype=np.float32)


def flat_picture(colour, height=40, width=60):
    return np.broadcast_to(colour, (1, height, width, 3)).astype(np.float32)


def test_a_grid_has_first_labels_down_and_second_across():
    colours = {("a", "x"): RED, ("a", "y"): GREEN, ("b", "x"): BLUE}
    made = sweep_sheet(
        {k: flat_picture(c) for k, c in colours.items()}, [("content", flat_picture(RED * 0.5))]
    )
    picture = made[0]
    top, tall = LABEL_SIZE + 2 * MARGIN, 40 + MARGIN
    assert picture.shape[0] == top + 2 * tall
    found = {k: np.argwhere(np.all(np.abs(picture - c) < 1e-6, axis=-1)) for k, c in colours.items()}
    assert [tuple(found[key].min(0)) for key in colours] == [
        (top, found["a", "x"].min(0)[1]),
        (top, found["a", "x"].min(0)[1] + 60 + MARGIN),
        (top + tall, found["a", "x"].min(0)[1]),
    ]
    np.testing.assert_allclose(picture[top + tall + 20, -MARGIN - 30], 1, err_msg="a missing cell is blank")
    assert picture[top:, :60].min() < 0.3, "labels and sources are drawn"
    assert picture[-3:, :60].min() == 1, "and nothing under them"
    half = np.argwhere(np.all(np.abs(picture - RED * 0.5) < 0.01, axis=-1))
    assert half[:, 1].max() < found["a", "x"].min(0)[1], "the content is at the side"


def test_a_sweep_with_one_label_fills_rows():
    cells = {(f"seed {i}",): flat_picture(GREEN) for i in range(8)}
    made = sweep_sheet(cells, [("content", flat_picture(RED)), ("style", flat_picture(BLUE))])
    assert made.shape[1] == 2 * (40 + LABEL_SIZE + 2 * MARGIN) + MARGIN


def test_a_network_that_stood_in_is_named(tmp_path):
    run = plan.Run(("vgg19",), {}, from_dict({}), "0_vgg19")
    (tmp_path / run.folder).mkdir()
    record = {"steps": 1, "evaluations": 1, "wall_seconds": 1.0, "painted_together": 1}
    for used, label in (("slim", "vgg19 (fallback: slim)"), ("vgg19", "vgg19")):
        (tmp_path / run.folder / "run.json").write_text(
            json.dumps(record | {"network": {"name": used, "arch": used}})
        )
        assert gallery._labels(Sweep(tmp_path, "networks", [run]), run, run.labels) == (label,)


def test_measures_are_zero_distance_for_the_picture_itself():
    network = VGG(formula_weights())
    config = from_dict({"content": "sample:coffee", "style": "sample:coffee", "size": 64})
    measured = judging.Closeness(network, Pictures([config]))
    same = measured(config, images.fit(images.read("sample:coffee"), 64))
    layers = [f"style_distance/conv{block}_1" for block in range(1, 6)] + ["content_distance/conv4_2"]
    assert list(same) == ["ssim", *layers]
    assert same["ssim"] == pytest.approx(1)
    assert all(same[layer] == pytest.approx(0, abs=1e-5) for layer in layers)
    other = measured(config, np.asarray(formula_image(43, 64)))
    assert other["ssim"] < 0.5
    assert all(other[layer] > 0.01 for layer in layers)


def test_the_judge_is_the_largest_trained_network(tiny_weights):
    tiny = {"arch": "slim", "weights": str(tiny_weights), "normalize": True}
    configs = [from_dict({"network": n}) for n in ({"arch": "vgg19", "weights": "random"}, tiny)]
    network, weights = judging.judge(configs)
    assert weights.name == "tiny.safetensors"
    np.testing.assert_array_equal(
        network.convs["conv1_1"].kernel[...], formula_weights().arrays["conv1_1.kernel"]
    )


@pytest.fixture(scope="module")
def painted(tiny_weights, tmp_path_factory) -> Path:
    base = {
        "content": "sample:coffee",
        "size": 32,
        "log_every": 2,
        "network": {"arch": "slim", "weights": str(tiny_weights)},
        "optimizer": {"steps": 4},
        "style_layers": {"conv1_1": 1.0},
        "content_layers": {"conv2_1": 1.0},
    }
    cells = [
        ((layer, f"<{seed}>"), {"seed": seed, "style_layers": {layer: 1.0}})
        for layer in ("conv1_1", "conv2_1")
        for seed in (0, 1)
    ]
    cells[3][1]["content_weight"] = 3e38  # diverges
    sweep = Sweep.open(tmp_path_factory.mktemp("sweep"), "mine", plan.plan_runs(base, cells), False)
    assert run_sweep(sweep)
    assert gallery.write_gallery(sweep) == sweep.path / "index.html"
    return sweep.path


def test_the_table_has_every_run_with_what_differs_and_what_was_measured(painted):
    with (painted / "table.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["seed"] for row in rows] == ["0", "1", "0", "1"]
    assert [row["status"] for row in rows] == ["done", "done", "done", "diverged"]
    assert [row["style_layers.conv1_1"] for row in rows] == ["1.0", "1.0", "0.0", "0.0"]
    assert rows[0]["style/conv1_1"] != ""
    assert rows[0]["style/conv2_1"] == ""
    for row in rows:
        assert -1 <= float(row["ssim"]) <= 1
        assert float(row["style_distance/conv5_1"]) > 0
        assert float(row["content_distance/conv4_2"]) > 0
    assert int(rows[0]["evaluations"]) >= 5
    assert float(rows[0]["seconds"]) > 0


class Page(HTMLParser):
    """What a page refers to and what it holds."""

    def __init__(self, text):
        super().__init__()
        self.links, self.ids, self.opens, self.tags = [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.tags.append(tag)
        self.links += [attrs[name] for name in ("src", "href") if name in attrs]
        self.ids += [attrs["id"]] if "id" in attrs else []
        self.opens += [attrs["data-opens"]] if "data-opens" in attrs else []


def test_the_page_refers_only_to_files_beside_it(painted):
    page = Page((painted / "index.html").read_text())
    assert page.links
    for link in page.links:
        assert (painted / unquote(link)).is_file(), link
    assert len(page.opens) == 4
    assert set(page.opens) <= set(page.ids), "every picture opens its own settings"
    assert page.tags.count("table") == 2 + 2 * 4, "all runs, means over seeds, two for each run"
    text = (painted / "index.html").read_text()
    assert "conv1_1, &lt;0&gt;" in text
    assert "<0>" not in text


def test_the_sheet_is_there(painted):
    with Image.open(painted / "sheet.png") as sheet_:
        assert sheet_.width > 2 * 32
    assert json.loads((painted / "sweep.json").read_text())["compilations"] == 1
