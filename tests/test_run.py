"""The main command end to end: what a run leaves behind, and how bad input is refused."""

import json
import os
import signal
import subprocess
import time

import numpy as np
import pytest
from PIL import Image

from nst_jax.runs.metrics import Metrics
from tests.command import ROOT, assert_refused, call, call_process, command, metrics, pixels, tiny

LBFGS, STYLE_ONLY = {"optimizer__name": "lbfgs"}, {"content_weight": 0}


def test_a_run_leaves_what_the_contract_says(tiny_weights, tmp_path, cache):
    folder = tmp_path / "run"
    flags = tiny(tiny_weights, folder, shallow=False, **LBFGS, snapshot_every=10, tv_weight=0.5)
    result = call_process(*flags)
    assert result.returncode == 0, result.stderr
    assert "estimate: " in result.stdout
    assert any((cache / "xla").iterdir()), "compiled programs are kept"
    assert "network tiny.safetensors" in result.stdout.splitlines()[-1]

    assert pixels(folder / "result.png").shape == (32, 48, 3)
    config = json.loads((folder / "config.json").read_text())
    assert config["size"] == 48
    assert config["network"]["arch"] == "slim"
    with Image.open(folder / "result.png") as image:
        assert json.loads(image.text["config"]) == config
    run = json.loads((folder / "run.json").read_text())
    assert run["status"] == "done"
    assert run["network"]["name"] == "tiny.safetensors"
    assert len(run["network"]["sha256"]) == 64
    assert run["versions"].keys() >= {"jax", "flax", "optax"}
    assert run["wall_seconds"] > 0
    assert run["peak_memory_bytes"] > 1e8
    lines = metrics(folder)
    assert [line["step"] for line in lines] == [0, 10, 20]
    assert lines[0]["evaluations"] == 1
    assert lines[-1]["evaluations"] == run["evaluations"] >= 21
    for line in lines:
        total = 1e-4 * line["content"] + line["style"] + 0.5 * line["tv"]
        assert line["total"] == pytest.approx(total, rel=1e-5)
        style = sum(0.2 * line[f"style/conv{block}_1"] for block in range(1, 6))
        assert line["style"] == pytest.approx(style, rel=1e-5)
    assert lines[-1]["total"] < 0.1 * lines[0]["total"]
    assert sorted(path.name for path in folder.iterdir()) == [
        "config.json",
        "metrics.jsonl",
        "progress",
        "result.png",
        "run.json",
    ]
    assert sorted(path.name for path in (folder / "progress").iterdir()) == ["000010.png", "000020.png"]


def test_the_same_command_gives_the_same_picture(tiny_weights, tmp_path):
    for name in "ab":
        assert call(*tiny(tiny_weights, tmp_path / name, **LBFGS, optimizer__steps=10)).returncode == 0
    np.testing.assert_array_equal(pixels(tmp_path / "a/result.png"), pixels(tmp_path / "b/result.png"))


@pytest.mark.parametrize(
    "fields",
    [
        {"init": "content", "optimizer__bands": "true", **LBFGS},
        {"init": "style", "optimizer__name": "gd", "optimizer__learning_rate": 1e-8},
        {"network__normalize": "true", "network__pool": "max", "scales": "(0.5,1.0)", "style_scale": 0.7},
        {"network__weights": "random", "network__arch": "vgg16", "network__conv": "direct", **STYLE_ONLY},
    ],
    ids=["bands from content", "gd from style", "normalized, max, two scales", "random vgg16, style only"],
)
def test_every_choice_runs(tiny_weights, tmp_path, fields):
    flags = tiny(tiny_weights, tmp_path / "run", **{"optimizer__steps": 10, **fields})
    result = call(*flags)
    assert result.returncode == 0, result.stderr
    lines = metrics(tmp_path / "run")
    assert all(np.isfinite(line["total"]) for line in lines)
    at_full_size = [line for line in lines if line["scale"] == 1.0]
    assert at_full_size[-1]["total"] <= at_full_size[0]["total"]


def test_a_learning_rate_that_diverges_is_mended(tiny_weights, tmp_path):
    flags = tiny(
        tiny_weights, tmp_path, optimizer__name="gd", optimizer__learning_rate=1e6, optimizer__steps=60
    )
    result = call(*flags)
    assert result.returncode == 0, result.stderr
    lines = metrics(tmp_path)
    assert lines[-1]["total"] < lines[0]["total"]


@pytest.mark.parametrize("lines", [20, pytest.param(90, marks=pytest.mark.slow)])  # both scales
def test_a_killed_run_resumes_bit_for_bit(tiny_weights, tmp_path, lines):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    settings = {**LBFGS, "optimizer__steps": 60, "size": 96, "scales": "(0.5,1.0)", "log_every": 1}
    assert call(*tiny(tiny_weights, whole, **settings)).returncode == 0
    flags = [*tiny(tiny_weights, killed, **settings), "--resume"]
    process = subprocess.Popen(
        command(*flags), cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    while process.poll() is None and len(Metrics(killed / "metrics.jsonl").read()) < lines:
        time.sleep(0.01)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    result = call(*flags)
    assert result.returncode == 0, result.stderr

    np.testing.assert_array_equal(pixels(whole / "result.png"), pixels(killed / "result.png"))
    for a, b in zip(metrics(whole), metrics(killed), strict=True):
        assert {**a, "seconds": 0} == {**b, "seconds": 0}
    left = {path.name for path in killed.iterdir() if not path.name.endswith(".part")}
    assert left == {path.name for path in whole.iterdir()}


def test_ctrl_c_keeps_the_picture_and_can_be_resumed(tiny_weights, tmp_path):
    folder = tmp_path / "run"
    flags = tiny(tiny_weights, folder, **LBFGS, optimizer__steps=100_000, log_every=5)
    process = subprocess.Popen(
        command(*flags), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    while process.poll() is None and not (folder / "checkpoint.safetensors").exists():
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130, stderr
    assert "Traceback" not in stderr
    assert pixels(folder / "result.png").shape == (32, 48, 3)
    run = json.loads((folder / "run.json").read_text())
    assert run["status"] == "interrupted"
    assert 0 < run["steps"] < 100_000

    process = subprocess.Popen(
        command(f"--workdir={folder}", "--resume"),
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while process.poll() is None and metrics(folder)[-1]["step"] <= run["steps"] + 5:
        time.sleep(0.05)
    process.kill()
    process.wait()
    steps = [line["step"] for line in metrics(folder)]
    assert steps == sorted(set(steps))


def test_resuming_what_is_finished_does_nothing(tiny_weights, tmp_path):
    flags = tiny(tiny_weights, tmp_path / "run", optimizer__steps=3)
    assert call(*flags).returncode == 0
    before = (tmp_path / "run" / "run.json").read_bytes()
    result = call(f"--workdir={tmp_path / 'run'}", "--resume")
    assert result.returncode == 0
    assert "finished already" in result.stdout
    assert (tmp_path / "run" / "run.json").read_bytes() == before

    assert_refused(call(*flags), "--workdir", "already holds a run", "--resume")
    assert_refused(call(*flags, "--config.seed=7", "--resume"), "--resume: seed is 7 now but was 0")


REFUSED = {
    "typo on the command line": (["--config.styel=x"], "styel", "did you mean 'style'"),
    "typo in a parent": (["--config.netwrk.arch=x"], "netwrk", "network"),
    "unknown flag": (["--confg.size=3"], "confg.size"),
    "not a number": (["--config.size=large"], "config.size", "large"),
    "nan": (["--config.style_layers.conv1_1=nan"], "style_layers.conv1_1", "nan"),
    "layer": (["--config.content_layers.conv7_1=1"], "content_layers", "conv7_1", "conv4_2"),
    "sample": (["--config.content=sample:astronot"], "content", "astronot", "astronaut", "swirls"),
    "picture": (["--config.style=missing.jpg"], "style", "missing.jpg"),
    "directory": ([f"--config.content={ROOT}"], "content", str(ROOT)),
    "not a picture": ([f"--config.content={__file__}"], "content", "test_run.py"),
    "init": (["--config.init=nosie"], "init", "nosie", "noise, content, style"),
    "weights": (["--config.network.weights=vgg91"], "network.weights", "vgg91", "vgg19"),
    "not weights": ([f"--config.network.weights={__file__}"], "test_run.py"),
    "too small": (["--config.size=16", "--config.style_layers.conv5_1=1"], "size: 16", "conv5_1 needs 16"),
    "variant": (["--config=configs/gatys.py:relaesd"], "relaesd", "released"),
    "missing config": (["--config=configs/none.py"], "configs/none.py"),
    "config is a folder": (["--config=configs"], "configs"),
    "config is not Python": (["--config=pyproject.toml"], "SyntaxError"),
    "resume of nothing": (["--resume"], "--resume", "--workdir"),
}


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED)
def test_refused_with_one_line_and_nothing_left(tmp_path, tiny_weights, case):
    flags, *words = case
    workdir = tmp_path / "run"
    base = tiny(tiny_weights, workdir)
    if any(flag.startswith("--config=") for flag in flags):
        base = [flag for flag in base if not flag.startswith("--config=")]
    if "--resume" in flags:
        base = base[:1]
    elif flags[0].startswith("--config.network.weights"):
        base = [flag for flag in base if "network" not in flag]
    assert_refused(call(*sorted(base + flags, key=lambda flag: not flag.startswith("--config="))), *words)
    assert not workdir.exists()


CONFIG_FILES = {
    "wrong type": ("def get_config():\n  return 3\n", "ConfigDict, not int"),
    "no get_config": ("x = 1\n", "get_config"),
    "typo inside": (
        "from ml_collections import ConfigDict\ndef get_config():\n  return ConfigDict({'sede': 1})\n",
        "did you mean 'seed'",
    ),
    "raises": ("def get_config():\n  raise RuntimeError('no luck')\n", "no luck"),
}


@pytest.mark.parametrize("case", CONFIG_FILES.values(), ids=CONFIG_FILES)
def test_bad_config_files(tmp_path, case):
    text, words = case
    path = tmp_path / "config.py"
    path.write_text(text)
    assert_refused(call(f"--config={path}", f"--workdir={tmp_path / 'run'}"), words)


def test_layers_that_the_weights_lack_are_named(reference, tmp_path):
    weights = reference / "weights" / "vgg19_conv1_1-conv3_4.safetensors"
    flags = tiny(weights, tmp_path / "run", shallow=False, network__arch="vgg19")
    assert_refused(call(*flags), "conv4_2", "conv3_4", weights.name)


@pytest.mark.skipif(os.getuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder_is_said_in_one_line(tiny_weights, tmp_path):
    tmp_path.chmod(0o500)
    assert_refused(call(*tiny(tiny_weights, tmp_path / "run")), "cannot write", str(tmp_path))


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_disk_is_said_in_one_line(tiny_weights, tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "metrics.jsonl").symlink_to("/dev/full")
    result = call(*tiny(tiny_weights, folder))
    assert result.returncode == 2
    assert "error: cannot write" in result.stderr.splitlines()[-1]
    assert "No space left" in result.stderr.splitlines()[-1]
    assert "the picture so far is saved" in result.stderr.splitlines()[-1]
    assert pixels(folder / "result.png").shape == (32, 48, 3)


def test_help_says_how_to_use_it():
    result = call_process("--help")
    assert result.returncode == 0
    assert "--workdir" in result.stdout
