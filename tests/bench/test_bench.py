"""A bench end to end: what is planned, painted, judged, exported and refused, and going on after a kill."""

import csv
import dataclasses
import json
import subprocess
import time

import numpy as np
import pytest
from safetensors.numpy import save_file

from nst_jax.bench.bench_plan import BenchSettings, planned_runs
from nst_jax.errors import UserError
from nst_jax.networks.trained import TORCHVISION
from nst_jax.weights import save
from nst_jax.weights.random import random_weights
from tests.command import ROOT, SHALLOW, assert_refused, call, command, pixels

BENCH = "nst_jax.experiments.bench"


def flags_of(weights, workdir, steps=3):
    """Two contents, one style, two recipes, of which one is a curve; narrow, small, and few steps."""
    recipe = " ".join(
        [
            *("gatys optimizer.name=adam network.arch=slim init=content", f"network.weights={weights}"),
            *(f"{name}={value}" for name, value in SHALLOW.items() if "content_layers.conv4_2" not in name),
        ]
    )
    fields = {
        "contents": "sample:coffee",
        "styles": "sample:sunset",
        "size": 32,
        "recipes.quick": f"{recipe} optimizer.steps={steps}",
        "recipes.best": f"{recipe} optimizer.steps=2",
        "curves": "quick",
        "factors": "(0.5,2.0)",
        "judge.arch": "slim",
        "judge.weights": weights,
    }
    return [
        f"--config={ROOT / 'configs' / 'bench.py'}:quick",
        f"--workdir={workdir}",
        *(f"--config.{name}={value}" for name, value in fields.items()),
        "--config.contents=sample:rocket",
    ]


def lpips_flags(folder):
    """A SqueezeNet and weights of its channels, both random, as flags."""
    trained = dataclasses.replace(random_weights("squeezenet1_1"), preprocessing=TORCHVISION)
    save(folder / "squeezenet.safetensors", trained, "random")
    widths = (64, 128, 256, 384, 384, 512, 512)
    linear = {f"lin{i}.model.1.weight": np.ones((1, n, 1, 1), np.float32) for i, n in enumerate(widths)}
    save_file(linear, folder / "linear.safetensors")
    fields = {"arch": "squeezenet1_1"} | {
        name: folder / f"{file}.safetensors"
        for name, file in (("weights", "squeezenet"), ("linear", "linear"))
    }
    return [f"--config.lpips.{name}={value}" for name, value in fields.items()]


def test_a_judge_that_is_not_there_is_named_before_anything_is_painted(tiny_weights, tmp_path):
    flags = [*flags_of(tiny_weights, tmp_path / "bench"), "--config.lpips.arch=vgg16"]
    result = call(*flags, "--config.lpips.linear=nowhere.pth", module=BENCH)
    assert_refused(result, "nowhere.pth")
    assert_refused(
        call(*flags[:-1], "--config.judge.weights=nowhere.pth", module=BENCH), "judge: ", "nowhere.pth"
    )
    assert not (tmp_path / "bench").exists()


def rows_of(path):
    with path.open() as file:
        return list(csv.DictReader(file))


def test_a_killed_bench_goes_on_and_is_judged_compared_and_exported(tiny_weights, tmp_path):
    folder, exported = tmp_path / "bench", tmp_path / "pictures"
    flags = [*flags_of(tiny_weights, folder, steps=500), *lpips_flags(tmp_path), "--batch=1"]
    process = subprocess.Popen(
        command(*flags, module=BENCH), cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    while process.poll() is None and not list(folder.glob("*_quick*/run.json")):
        time.sleep(0.02)
    process.kill()
    process.wait()
    painted = {path: path.stat().st_mtime_ns for path in folder.glob("*/run.json")}
    assert 0 < len(painted) < 8
    result = call(f"--workdir={folder}", "--resume", f"--export={exported}", module=BENCH)
    assert result.returncode == 0, result.stderr
    assert "8 runs (8 done)" in result.stdout
    assert all(path.stat().st_mtime_ns == then for path, then in painted.items())

    rows = rows_of(folder / "bench.csv")
    assert [row["entry"] for row in rows] == ["best", "quick x0.5", "quick", "quick x2"] * 2
    for row in rows:
        scores = ("gram", "sliced", "palette", "content_distance", "cfsd", "lpips", "ssim", "edges")
        assert all(np.isfinite(float(row[name])) for name in scores)
    recipes = {(row["entry"], row["score"]): row for row in rows_of(folder / "recipes.csv")}
    of_quick = [float(row["gram"]) for row in rows if row["entry"] == "quick"]
    assert float(recipes["quick", "gram"]["mean"]) == pytest.approx(np.mean(of_quick))
    assert recipes["quick", "gram"]["pairs"] == "2"
    text = (folder / "bench.md").read_text()
    assert text.startswith("Judge: ")
    page = (folder / "index.html").read_text()
    for words in ("Recipes, compared with best", "quick x0.5", "<option>cfsd</option>"):
        assert words in page
    assert page.index("<option>gram</option>") < page.index("<option>total</option>")
    check_export(exported, folder)


def check_export(exported, folder):
    """As art-fid and StyleID's evaluation read it: files in order of their names, of equal sizes."""
    assert {path.name for path in exported.iterdir()} == {"best", "quick-x0.5", "quick", "quick-x2"}
    for entry in exported.iterdir():
        content, style, stylized = (
            sorted((entry / k).glob("*.png")) for k in ("content", "style", "stylized")
        )
        assert len(content) == 2
        for photo, painting, result in zip(content, style, stylized, strict=True):
            assert photo.name == painting.name == result.name
            assert pixels(photo).shape == pixels(result).shape
            assert pixels(painting).shape == (26, 32, 3)
            np.testing.assert_array_equal(pixels(result), pixels(folder / result.stem / "result.png"))
        assert ["coffee" in path.name for path in content] == [True, False]


@pytest.mark.slow
def test_another_judge_scores_the_same_pictures(tiny_weights, tmp_path):
    flags = flags_of(tiny_weights, tmp_path)
    assert call(*flags, "--config.curves=()", module=BENCH).returncode == 0
    before = rows_of(tmp_path / "bench.csv")
    scores = json.loads(next(tmp_path.glob("*/scores.json")).read_text())
    assert scores["judge"].endswith("conv1_1,conv2_1,conv3_1,conv4_1,conv5_1")
    done = call(*flags, "--config.curves=()", "--config.style_layers=conv1_1", "--resume", module=BENCH)
    assert done.returncode == 0, done.stderr
    after = rows_of(tmp_path / "bench.csv")
    assert [row["gram"] for row in before] != [row["gram"] for row in after]
    assert [row["ssim"] for row in before] == [row["ssim"] for row in after]
    assert not (tmp_path / "curves.csv").exists()


def test_recipes_are_configs_with_changes():
    settings = BenchSettings(
        contents=("sample:coffee",),
        styles=("sample:swirls", "sample:sunset"),
        recipes={"mine": "quick style_losses.w2=1 optimizer.steps=(30,20,10)", "nnst": "nnst:256"},
        curves=("mine",),
        size=128,
    )
    runs = planned_runs(settings)
    assert [run.labels for run in runs[:4]] == [
        *(("coffee+swirls", name) for name in ("mine x0.3", "mine", "mine x3", "nnst")),
    ]
    first, second, *_, last = [run.config for run in runs]
    assert first.content_weight == pytest.approx(0.3 * second.content_weight)
    assert (first.style_losses["w2"], first.optimizer.steps, first.size) == (1.0, (30, 20, 10), 128)
    assert (last.method, last.style) == ("nnst", "sample:sunset")


REFUSED = {
    "config": ({"recipes": {"mine": "quik"}}, "recipes.mine", "did you mean 'quick'"),
    "field": ({"recipes": {"mine": "quick content_wieght=1"}}, "recipes.mine", "content_wieght"),
    "change": ({"recipes": {"mine": "quick content_weight"}}, "recipes.mine", "field=value"),
    "two values": ({"recipes": {"mine": "quick seed=1,2"}}, "recipes.mine", "seed", "one value"),
    "styles": ({"recipes": {"mine": "quick styles.a.image=a.jpg"}}, "recipes.mine", "styles", "(a)"),
    "quotes": ({"recipes": {"mine": "quick 'seed=1"}}, "recipes.mine"),
    "curve": ({"curves": ("best",)}, "curves", "best"),
    "no weight": ({"recipes": {"n": "nnst:256"}, "curves": ("n",)}, "curves", "n has no content weight"),
    "factor": ({"factors": (1.0,)}, "factors", "duplicates"),
    "reference": ({"reference": "best"}, "reference", "best"),
    "folder": ({"contents": ("folder:nowhere",)}, "contents", "nowhere"),
    "pictures": ({"styles": ("a.jpg", "a.jpg")}, "styles", "duplicates"),
    "same": ({"recipes": {"a": "quick", "b": "quick"}}, "same run"),
}


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_planned_is_named_in_one_line(case):
    changes, *words = case
    given = {"contents": ("sample:coffee",), "styles": ("sample:swirls",), "recipes": {"quick": "quick"}}
    with pytest.raises(UserError) as caught:
        planned_runs(BenchSettings(**{**given, **changes}))
    assert "\n" not in str(caught.value)
    for word in words:
        assert word in str(caught.value)


def test_refused_before_anything_is_painted(tiny_weights, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.png").touch()
    flags = flags_of(tiny_weights, tmp_path / "bench")
    assert_refused(call(*flags, f"--export={tmp_path / 'full'}", module=BENCH), "--export", "not an empty")
    resumed = call(f"--workdir={tmp_path / 'bench'}", "--resume", module=BENCH)
    assert_refused(resumed, "holds no bench to resume")
    assert not (tmp_path / "bench").exists()
