"""The Python API: the same picture as the command, what it takes, what it refuses, what compiles once."""

import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

import nst_jax
from nst_jax import UserError, images
from tests.command import ROOT, call, metrics, pixels


@pytest.fixture(scope="module")
def fields(tiny_weights):
    """A run that takes seconds."""
    shallow = {"content_layers": {"conv2_1": 1.0}, "style_layers": {"conv1_1": 1.0, "conv2_1": 1.0}}
    network = {"arch": "slim", "weights": str(tiny_weights)}
    optimizer = {"name": "adam", "steps": 6}
    return {"size": 48, "log_every": 3, "network": network, "optimizer": optimizer, **shallow}


def test_a_result_equals_that_of_the_command_bit_for_bit(fields, tiny_weights, tmp_path):
    result = nst_jax.stylize("sample:coffee", "sample:swirls", "gatys", **fields)
    flags = {
        **{"content": "sample:coffee", "style": "sample:swirls", "size": 48, "log_every": 3},
        **{"network.arch": "slim", "network.weights": tiny_weights},
        **{"optimizer.name": "adam", "optimizer.steps": 6, "content_layers.conv4_2": 0},
        **{"content_layers.conv2_1": 1.0, "style_layers.conv1_1": 1.0, "style_layers.conv2_1": 1.0},
        **{f"style_layers.conv{block}_1": 0 for block in (3, 4, 5)},
    }
    done = call(
        f"--config={ROOT}/configs/gatys.py",
        f"--workdir={tmp_path}",
        *(f"--config.{k}={v}" for k, v in flags.items()),
    )
    assert done.returncode == 0, done.stderr
    np.testing.assert_array_equal(np.asarray(result.image), pixels(tmp_path / "result.png"))
    times = ("seconds",)
    strip = [{k: v for k, v in line.items() if k not in times} for line in metrics(tmp_path)]
    assert [{k: v for k, v in line.items() if k not in times} for line in result.metrics] == strip
    assert result.status == "done"
    assert result.config.optimizer.steps == 6
    result.save(tmp_path / "saved.png")
    with Image.open(tmp_path / "saved.png") as saved:
        assert json.loads(saved.text["config"])["size"] == 48
    result.save(tmp_path / "saved.jpg")
    assert pixels(tmp_path / "saved.jpg").shape == (32, 48, 3)
    with pytest.raises(UserError, match=r"saved.xyz has no suffix of a picture format"):
        result.save(tmp_path / "saved.xyz")
    assert nst_jax.load_result(tmp_path).record["network"] == result.record["network"]


def test_a_path_an_image_and_an_array_are_the_same_picture(fields, tmp_path):
    path = tmp_path / "photo.png"
    images.write(path, images.fit(images.read("sample:coffee"), 60))
    array = pixels(path)
    session = nst_jax.Session("gatys", style="sample:swirls", init="content", **fields)
    first = session.stylize(path)
    for content in (Image.open(path), array, array[None] / np.float32(255), Image.open(path).convert("RGBA")):
        np.testing.assert_array_equal(session.stylize(content).array, first.array)
    assert session.compilations == 1, "five pictures of one shape"
    session.stylize(array[:, :40])
    assert session.compilations == 2
    np.testing.assert_array_equal(session.stylize(path).array, first.array)
    assert session.compilations == 2


def test_a_session_follows_a_loss_to_another_layer(fields):
    common = {**fields, "style_losses": {"gram": 1.0, "w2": 1.0}}
    session = nst_jax.Session("gatys", content="sample:coffee", style="sample:swirls", **common)
    for layer in ("conv1_1", "conv2_1"):
        losses = {"loss_layers": {"w2": {layer: 1.0}}}
        found = session.stylize(**losses)
        assert {name for name in found.metrics[0] if name.endswith("/w2")} == {f"style/{layer}/w2"}
        alone = nst_jax.stylize("sample:coffee", "sample:swirls", "gatys", **common, **losses)
        np.testing.assert_array_equal(found.array, alone.array)


def test_snapshots_come_as_it_is_painted_and_the_last_has_the_result(fields):
    snapshots = list(nst_jax.paint("sample:coffee", "sample:swirls", "gatys", scales=(0.5, 1.0), **fields))
    assert [snapshot.step for snapshot in snapshots] == [0, 3, 6, 9, 12]
    assert {snapshot.steps for snapshot in snapshots} == {12}
    assert [snapshot.image.size for snapshot in snapshots] == [(24, 16)] * 3 + [(48, 32)] * 2
    assert [snapshot.result is None for snapshot in snapshots] == [True] * 4 + [False]
    result = snapshots[-1].result
    assert [snapshot.metrics for snapshot in snapshots] == result.metrics
    np.testing.assert_array_equal(np.asarray(snapshots[-1].image), np.asarray(result.image))
    assert snapshots[1].metrics["total"] < snapshots[0].metrics["total"]


def test_painting_can_be_left(fields, tmp_path):
    painting = nst_jax.paint("sample:coffee", "sample:swirls", "gatys", workdir=tmp_path / "run", **fields)
    next(painting)
    painting.close()
    assert (tmp_path / "run/config.json").exists()
    assert not (tmp_path / "run/result.png").exists()


def test_a_run_that_diverges_says_so(fields):
    result = nst_jax.stylize("sample:coffee", "sample:swirls", "gatys", content_weight=3e38, **fields)
    assert result.status == "diverged"
    assert np.isfinite(result.array).all()


REFUSED = {
    "field": ({"sise": 32}, "sise.*did you mean 'size'"),
    "config": ({"config": "quik"}, "did you mean 'quick'"),
    "inner": ({"optimizer__stepz": 3}, "optimizer.stepz"),
    "shape": (
        {"content": np.zeros((4, 40, 40, 3), np.uint8)},
        r"content: .* of shape \(4, 40, 40, 3\)",
    ),
    "range": (
        {"content": np.full((40, 40, 3), 2.0)},
        r"content: .* from 2.0 to 2.0; expected uint8",
    ),
    "type": ({"content": np.zeros((40, 40, 3), np.int32)}, "content: .* int32 .* expected uint8"),
    "nan": ({"content": np.full((40, 40, 3), np.nan)}, "content: .* from nan to nan"),
    "empty": ({"content": np.zeros((0, 40, 3), np.uint8)}, "content: .* of shape"),
    "objects": ({"content": np.full((40, 40, 3), "a", object)}, "content: .* of object"),
    "number": ({"init": 3}, "init: 3 .* is not a picture"),
    "small": ({"content": np.zeros((4, 4, 3), np.uint8)}, "content: .*4 x 4 pixels"),
    "missing": ({"style": "nowhere.jpg"}, "style: .*nowhere.jpg"),
}


@pytest.mark.parametrize(("fields", "words"), REFUSED.values(), ids=REFUSED)
def test_refused_before_anything_is_written(fields, words, tmp_path):
    given = {"content": "sample:coffee", "style": "sample:swirls", "config": "quick", **fields}
    with pytest.raises(UserError, match=words):
        nst_jax.stylize(**given, workdir=tmp_path / "run")
    assert not (tmp_path / "run/config.json").exists()


@pytest.mark.parametrize("missing", ["content", "style"])
def test_none_is_not_a_picture(missing):
    # What `stylize(photo, None)` amounts to; type checking in tests would refuse that call itself.
    given = {"content": "sample:coffee", "style": "sample:swirls", missing: None}
    with pytest.raises(UserError, match=f"{missing}: None .* is not a picture; expected a path"):
        nst_jax.Session("quick", **given).stylize()


def test_a_sweep_gives_results_by_labels_in_one_program(fields, tmp_path):
    given = {
        **fields,
        "content": Image.open(images.samples.locate("sample:coffee")),
        "style": "sample:swirls",
    }
    swept = nst_jax.sweep("gatys", {"content_weight": [0.0, 1.0], "seed": [0, 1]}, workdir=tmp_path, **given)
    assert len(swept) == 4
    assert swept.compilations == 1
    assert swept["content_weight=0", "seed=1"].config.seed == 1
    assert swept[1].config.content_weight == 0
    assert [row["seed"] for row in swept.table] == ["0", "1", "0", "1"]
    assert np.asarray(swept.sheet).shape == pixels(tmp_path / "sheet.png").shape
    assert (tmp_path / "index.html").exists()
    alone = nst_jax.stylize(**{**given, **{"config": "gatys", "content_weight": 0.0, "seed": 1}})
    np.testing.assert_allclose(swept[1].array, alone.array, atol=0.6 / 255)


def test_import_is_quick_and_leaves_jax_alone():
    code = (
        "import time; began = time.perf_counter(); import nst_jax; seconds = time.perf_counter() - began;"
        "import sys; assert 'jax' not in sys.modules and 'numpy' not in sys.modules;"
        "assert 'stylize' in dir(nst_jax); print(seconds)"
    )
    output = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert float(output.stdout) < 0.2
    with pytest.raises(AttributeError, match="nothing"):
        _ = nst_jax.nothing
