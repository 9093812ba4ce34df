"""`nst_jax.experiments.top_patches` as a user meets it: what it leaves, going on, and what it refuses."""

import json
import shutil
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nst_jax.errors import UserError
from nst_jax.experiments import top_patches
from nst_jax.images.streams import Stream
from nst_jax.networks import receptive
from nst_jax.networks.architectures import architecture
from tests.command import ROOT, assert_refused, call, command, pixels

# ml_collections still loads config files by importlib's old way; only commands in this process see it.

MODULE = "nst_jax.experiments.top_patches"
LAYERS = ("conv1_1", "conv2_1")


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small pictures of several shapes, and a file that is none."""
    folder = tmp_path_factory.mktemp("photos")
    made = np.random.default_rng(0)
    for number in range(300):
        height, width = (40, 60) if number % 2 else (48, 40)
        Image.fromarray(made.integers(0, 256, (height, width, 3), np.uint8)).save(
            folder / f"{number:03d}.png"
        )
    (folder / "broken.jpg").write_bytes(b"not a picture")
    return folder


def flags(weights: Path, photos: Path, workdir: Path, **fields: object) -> list[str]:
    settings = {
        "data": f"folder:{photos}",
        "layers": ",".join(LAYERS),
        "size": 32,
        "batch": 4,
        "limit": 10,
        "shown": 3,
        "network.weights": weights,
        **{name.replace("__", "."): value for name, value in fields.items()},
    }
    return [
        f"--config={ROOT / 'configs' / 'top_patches.py'}",
        f"--workdir={workdir}",
        *(f"--config.{name}={value}" for name, value in settings.items()),
    ]


def search(*arguments: str) -> int:
    return top_patches.main(["top_patches", *arguments])


def lines(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "units.jsonl").read_text().splitlines()]


def test_it_leaves_the_units_the_sheets_and_the_record(tiny_weights, photos, tmp_path):
    result = call(*flags(tiny_weights, photos, tmp_path / "run", limit=0), module=MODULE)
    assert result.returncode == 0, result.stderr
    assert "300 images" in result.stdout
    assert "network tiny.safetensors" in result.stdout
    assert "images/s" in result.stderr
    rows = lines(tmp_path / "run")
    assert [(row["layer"], row["unit"]) for row in rows] == [
        *(("conv1_1", unit) for unit in range(4)),
        *(("conv2_1", unit) for unit in range(6)),
    ]
    for row in rows:
        activations = [patch["activation"] for patch in row["patches"]]
        assert activations == sorted(activations, reverse=True)
        assert len({patch["image"] for patch in row["patches"]}) == len(activations) == 9
    run = json.loads((tmp_path / "run" / "run.json").read_text())
    assert run["status"] == "done"
    assert run["images"] == 300
    assert len(run["skipped"]) == 1
    assert "broken.jpg" in run["skipped"][0]
    assert run["network"]["arch"] == "slim"
    assert len(run["network"]["sha256"]) == 64
    assert not (tmp_path / "run" / "checkpoint.safetensors").exists()
    names = {path.name for path in (tmp_path / "run").iterdir()}
    assert {"conv1_1.png", "conv2_1.png", "filters.png", "index.html", "config.json"} <= names
    drawn = sorted(path.stem for path in (tmp_path / "run" / "units" / "conv2_1").iterdir())
    assert drawn == ["0", "2", "4"]
    assert pixels(tmp_path / "run" / "filters.png").shape[0] > 3


def test_boxes_are_the_receptive_fields_in_the_pictures(tiny_weights, photos, tmp_path):
    assert search(*flags(tiny_weights, photos, tmp_path / "run", units="3,1", top=4)) == 0
    rows = lines(tmp_path / "run")
    assert [row["unit"] for row in rows] == [3, 1, 3, 1]
    stream = Stream(f"folder:{photos}", 32)
    frames = {frame.name: frame for batch in stream.batches(4) for frame in batch.frames}
    for row in rows:
        for patch in row["patches"]:
            field = receptive.box(
                architecture("slim").layers, row["layer"], patch["row"], patch["column"], 32, 32
            )
            frame = frames[patch["image"]]
            assert patch["box"] == list(frame.to_source(field))
            x0, y0, x1, y1 = patch["box"]
            assert 0 <= x0 < x1 <= frame.width
            assert 0 <= y0 < y1 <= frame.height


def test_a_run_killed_and_interrupted_goes_on_to_the_same_result(tiny_weights, photos, tmp_path):
    settings = {"limit": 0, "batch": 2, "checkpoint_seconds": 0.02, "shown": 1}
    for ending, status in ((signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)):
        folder = tmp_path / ending.name
        run = subprocess.Popen(
            command(*flags(tiny_weights, photos, folder, **settings), module=MODULE),
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        while not (folder / "checkpoint.safetensors").exists():
            assert run.poll() is None
            time.sleep(0.002)
        run.send_signal(ending)
        run.communicate(timeout=60)
        assert run.returncode == status
        assert (folder / "checkpoint.safetensors").exists()
        assert not (folder / "units.jsonl").exists()
        assert search(f"--workdir={folder}", "--resume") == 0
    assert search(*flags(tiny_weights, photos, tmp_path / "whole", **settings)) == 0
    for name in ("units.jsonl", "conv2_1.png"):
        whole = (tmp_path / "whole" / name).read_bytes()
        assert (tmp_path / "SIGINT" / name).read_bytes() == whole
        assert (tmp_path / "SIGKILL" / name).read_bytes() == whole
    for folder in ("whole", "SIGINT", "SIGKILL"):
        run = json.loads((tmp_path / folder / "run.json").read_text())
        assert run["images"] == 300
        assert len(run["skipped"]) == 1


def test_resuming_looks_at_what_it_resumes(tiny_weights, photos, tmp_path, capsys):
    base = flags(tiny_weights, photos, tmp_path / "run")
    assert search(*base) == 0
    assert search(*base, "--resume") == 0
    assert "finished already" in capsys.readouterr().out
    with pytest.raises(UserError, match="already holds a run; add --resume"):
        search(*base)
    with pytest.raises(UserError, match="--resume: top is 3 now but was 9"):
        search(*base, "--config.top=3", "--resume")
    with pytest.raises(UserError, match="name the run folder with --workdir"):
        search("--resume")
    with pytest.raises(UserError, match="holds no run to resume"):
        search(f"--workdir={tmp_path / 'none'}", "--resume")


REFUSED = {
    "layer": ({"layers": "conv1_1,conv9_1"}, "layers: unknown 'conv9_1'", "conv5_4, pool5"),
    "layer twice": ({"layers": "conv1_1,conv1_1"}, "layers: .*duplicates"),
    "unit": ({"units": "2,4"}, "units: conv1_1 has no unit 4; choices: 0 to 3"),
    "no number": ({"units": "first"}, "units: 'first'", "3,17"),
    "too small": ({"layers": "conv5_1"}, "size: 32 is less than .* conv5_1", "at least 156"),
    "no folder": ({"data": "folder:/none"}, "data: .*/none"),
    "empty folder": ({"data": "EMPTY"}, "data: "),
    "nothing readable": ({"data": "UNREADABLE"}, "data: none of the .* can be read", "bad.jpg"),
    "data": ({"data": "photos"}, "data: ", "folder:", "sample:", "tfds:"),
    "rule": ({"rule": "backward"}, "rule: unknown 'backward'", "deconvnet, gradient, guided"),
    "top": ({"top": 0}, "top: 0 is below 1"),
    "weights": ({"network.weights": "vgg91"}, "network.weights", "vgg19"),
}


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED)
def test_bad_input_is_refused_before_anything_is_written(tiny_weights, photos, tmp_path, case):
    fields, *words = case
    (tmp_path / "empty").mkdir()
    (tmp_path / "unreadable").mkdir()
    shutil.copy(photos / "broken.jpg", tmp_path / "unreadable" / "bad.jpg")
    folders = {"EMPTY": f"folder:{tmp_path / 'empty'}", "UNREADABLE": f"folder:{tmp_path / 'unreadable'}"}
    fields = {name: folders.get(value, value) for name, value in fields.items()}
    with pytest.raises(UserError) as error:
        search(*flags(tiny_weights, photos, tmp_path / "run", **fields))
    for word in words:
        error.match(word)
    assert not (tmp_path / "run").exists()


def test_a_refusal_is_one_line_on_the_terminal(tiny_weights, photos, tmp_path):
    base = flags(tiny_weights, photos, tmp_path / "run", layers="conv1_9")
    assert_refused(call(*base, module=MODULE), "layers", "conv1_9", "conv1_2")


def test_layers_that_the_weights_lack_are_refused(reference, photos, tmp_path):
    weights = reference / "weights" / "vgg19_conv1_1-conv3_4.safetensors"
    base = flags(weights, photos, tmp_path / "run", network__arch="vgg19", size=128, layers="conv3_4,pool4")
    refusal = rf"network.weights: {weights.name} lacks conv4_1, .*it has .*conv3_4"
    with pytest.raises(UserError, match=refusal):
        search(*base)
    assert not (tmp_path / "run").exists()
