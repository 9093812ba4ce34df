"""`python -m nst_jax.video`: what holds a clip together, what it leaves behind, and how it resumes."""

import os
import shutil
import signal
import subprocess
import time

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import binary_erosion

from nst_jax.video.reliability import warped_along
from scripts.moving_scene import scene, true_flow, truly_visible
from tests.command import assert_refused, call, command, metrics, pixels, tiny

MODULE = "nst_jax.video.__main__"
SIZE = (48, 72)


@pytest.fixture(scope="session")
def clip(tmp_path_factory):
    """A folder with a clip of six frames."""
    folder = tmp_path_factory.mktemp("clip")
    for number, frame in enumerate(scene(6, SIZE)):
        Image.fromarray(frame).save(folder / f"{number}.png")
    return f"folder:{folder}"


def flags(weights, workdir, content, **fields):
    given = {
        "size": 72,
        "optimizer__steps": 16,
        "content": content,
        "flow": "tvl1",
        "scales": "(1.0,)",
        **fields,
    }
    video = {name: given.pop(name) for name in list(given) if name in VIDEO}
    steps = video.setdefault("steps", 8)
    video.setdefault("patience", steps)
    _, work, *others = tiny(weights, workdir, **given)
    if "styles__a__image" in given:
        others = [flag for flag in others if not flag.startswith("--config.style=")]
    return [
        "--config=video",
        work,
        *others,
        *(f"--config.video.{name}={value}" for name, value in video.items()),
    ]


VIDEO = (
    "steps",
    "patience",
    "flow",
    "passes",
    "frames",
    "every",
    "references",
    "temporal_weight",
    "cut",
    "tolerance",
)


def painted(folder):
    return np.array([pixels(path).astype(int) for path in sorted((folder / "frames").iterdir())])


def test_a_clip_is_painted_frame_by_frame(tiny_weights, clip, tmp_path):
    folder = tmp_path / "run"
    done = call(*flags(tiny_weights, folder, clip), module=MODULE)
    assert done.returncode == 0, done.stderr
    lines = metrics(folder)
    assert [line["frame"] for line in lines] == list(range(6))
    assert {line["shot"] for line in lines} == {0}
    assert lines[0]["step"] == 16
    assert all(line["step"] == 8 and line["temporal"] >= 0 for line in lines[1:])
    assert painted(folder).shape == (6, *SIZE, 3)
    film = next(folder.glob("result.*"))
    assert film.stat().st_size > 1000
    assert "6 frames" in done.stdout.splitlines()[-1]
    assert (folder / "sheet.png").exists()
    again = call(f"--workdir={folder}", "--resume", module=MODULE)
    assert again.stdout.startswith("finished already")


def test_what_moves_keeps_its_strokes(tiny_weights, clip, tmp_path):
    """The distance of each frame to the one before, moved: with the temporal term, and frame by frame."""
    settings = {"optimizer__steps": 40, "optimizer__learning_rate": 0.05, "init": "content", "steps": 20}
    errors = {}
    for name, fields in {"held": {}, "alone": {"cut": 2.0}}.items():
        done = call(*flags(tiny_weights, tmp_path / name, clip, **settings, **fields), module=MODULE)
        assert done.returncode == 0, done.stderr
        frames = painted(tmp_path / name).astype(np.float32)
        moved = [warped_along(frames[n - 1], true_flow(n, n - 1, SIZE)) for n in range(1, 6)]
        seen = [binary_erosion(truly_visible(n, n - 1, SIZE), np.ones((5, 5))) for n in range(1, 6)]
        pairs = zip(frames[1:], moved, seen, strict=True)
        errors[name] = np.mean([np.abs(frame - before)[where].mean() for frame, before, where in pairs])
    lines = metrics(tmp_path / "alone")
    assert [line["shot"] for line in lines] == list(range(6)), "every frame is a shot of its own"

    assert errors["held"] < 0.6 * errors["alone"], errors


@pytest.mark.slow
def test_a_still_clip_stays_still(tiny_weights, tmp_path):
    still = tmp_path / "still"
    still.mkdir()
    for number in range(5):
        Image.fromarray(scene(1, SIZE)[0]).save(still / f"{number}.png")
    fields = {"optimizer__steps": 60, "optimizer__name": "lbfgs", "init": "content"}
    done = call(*flags(tiny_weights, tmp_path / "run", f"folder:{still}", **fields), module=MODULE)
    assert done.returncode == 0, done.stderr
    frames = painted(tmp_path / "run")
    assert np.abs(np.diff(frames[2:], axis=0)).mean() < 1
    assert abs(frames[-1].mean() - frames[0].mean()) < 1


def test_each_nth_frame_is_taken(tiny_weights, clip, tmp_path):
    done = call(*flags(tiny_weights, tmp_path / "run", clip, every=2, references="(1,)"), module=MODULE)
    assert done.returncode == 0, done.stderr
    wanted = scene(6, SIZE)[::2]
    contents = [pixels(path) for path in sorted((tmp_path / "run" / "content").iterdir())]
    np.testing.assert_array_equal(contents, wanted)


def test_a_clip_killed_in_every_pass_resumes_bit_for_bit(tiny_weights, clip, tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    twice = {"passes": 2, "frames": 3}
    assert call(*flags(tiny_weights, whole, clip, **twice), module=MODULE).returncode == 0
    resumed = (f"--workdir={killed}", "--resume")
    for given, done in (
        (flags(tiny_weights, killed, clip, **twice), killed / "passes/1/000001.png"),
        (resumed, killed / "frames/000001.png"),  # the second pass goes backwards
    ):
        process = subprocess.Popen(command(*given, module="nst_jax.video"), env=os.environ)
        while not done.exists() and process.poll() is None:
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        process.wait()
        with (killed / "metrics.jsonl").open("a") as file:
            file.write('{"frame": 4, "pa')  # a torn line
    assert not (killed / "frames/000000.png").exists()
    assert call(*resumed, module=MODULE).returncode == 0
    np.testing.assert_array_equal(painted(killed), painted(whole))
    losses = [
        [(line["pass"], line["frame"], line["total"]) for line in metrics(run)] for run in (whole, killed)
    ]
    assert losses[0] == losses[1]
    assert [place[:2] for place in losses[0]] == [(1, 0), (1, 1), (1, 2), (2, 2), (2, 1), (2, 0)]


def test_ctrl_c_names_the_command_that_resumes(tiny_weights, clip, tmp_path):
    folder = tmp_path / "run"
    given = flags(tiny_weights, folder, clip)
    process = subprocess.Popen(command(*given, module="nst_jax.video"), stdout=subprocess.PIPE, text=True)
    while not (folder / "frames" / "000000.png").exists() and process.poll() is None:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=120)
    assert process.returncode == 130
    assert f"python -m nst_jax.video --workdir={folder} --resume" in out
    shutil.rmtree(folder / "flow")
    assert call(f"--workdir={folder}", "--resume", module=MODULE).returncode == 0


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"init": "photo.jpg"}, "init: photo.jpg"),
        ({"devices": 2}, "devices: 2"),
        ({"flow": "raft"}, "video.flow: unknown 'raft'"),
        ({"references": "(0,)"}, "video.references: (0,)"),
        ({"content": "sample:coffee"}, "content: no such file: sample:coffee"),
        ({"size": 15}, "size: 15"),
    ],
)
def test_what_cannot_be_a_clip_is_refused_before_anything_is_written(
    tiny_weights, clip, tmp_path, fields, words
):
    given = flags(tiny_weights, tmp_path / "run", clip)
    given += flags(tiny_weights, tmp_path / "run", **{"content": clip, **fields})[2:]
    assert_refused(call(*given, module=MODULE), words)
    assert not (tmp_path / "run").exists()


def test_a_single_picture_follows_from_no_other(tiny_weights, tmp_path):
    result = call(*tiny(tiny_weights, tmp_path / "run", terms__temporal=1.0))
    assert_refused(result, "terms.temporal: a single picture follows from no other")
    assert not (tmp_path / "run").exists()


def test_regions_are_masks_frame_by_frame(tiny_weights, clip, tmp_path):
    masks = tmp_path / "masks"
    masks.mkdir()
    for number in range(6):
        mask = np.zeros(SIZE, np.uint8)
        mask[:, : 20 + 4 * number] = 255
        Image.fromarray(mask).save(masks / f"{number}.png")
    region = {"styles__a__image": "sample:stained_glass", "styles__a__region": f"folder:{masks}"}
    done = call(*flags(tiny_weights, tmp_path / "run", clip, **region), module=MODULE)
    assert done.returncode == 0, done.stderr
    contents = [pixels(path).astype(int) for path in sorted((tmp_path / "run" / "content").iterdir())]
    changed = np.abs(painted(tmp_path / "run") - contents).mean(-1)
    for number in (0, 5):
        assert changed[number][:, : 16 + 4 * number].mean() > 2 * changed[number][:, 28 + 4 * number :].mean()
    (masks / "5.png").unlink()
    refused = call(*flags(tiny_weights, tmp_path / "other", clip, **region), module=MODULE)
    assert_refused(refused, "styles.a.region: 5 masks")
