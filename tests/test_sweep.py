"""Sweeps end to end: what is run, what is left behind, what is refused, going on after a kill."""

import json
import signal
import subprocess
import time

import pytest

from nst_jax import sweep
from nst_jax.errors import UserError
from nst_jax.runs.metrics import Metrics
from nst_jax.sweeps.running import run_sweep
from tests.command import ROOT, SHALLOW, assert_refused, call, command, metrics, pixels

SWEEP = "nst_jax.sweep"
CONFIGS = sorted(path for path in (ROOT / "configs/sweeps").glob("*.py") if path.stem != "common")


def tiny(weights, workdir=None, config="configs/gatys.py", shallow=True):
    """Flags of a sweep that takes seconds; shallow, as most of the time goes into compiling."""
    fields = [
        "network.arch=slim",
        f"network.weights={weights}",
        "size=32",
        "optimizer.name=adam",  # compiles in a fraction of the time of L-BFGS
        "optimizer.steps=6",
        "log_every=3",
    ]
    fields += [
        "content=sample:coffee",
        "style=sample:stained_glass",
        *(f"{layer}={weight}" for layer, weight in SHALLOW.items() if shallow),
    ]
    workdirs = [] if workdir is None else [f"--workdir={workdir}"]
    return [f"--config={config}", *workdirs, *(f"--config.{field}" for field in fields)]


def test_varied_fields_give_their_product_in_one_program(tiny_weights, tmp_path):
    flags = tiny(tiny_weights, tmp_path)
    vary = ["--vary=content_weight=1e-5,1e-3", "--vary=seed=0,1"]
    result = call(*flags, *vary, "--batch=4", module=SWEEP)
    assert result.returncode == 0, result.stderr
    about = json.loads((tmp_path / "sweep.json").read_text())
    assert about["compilations"] == 1
    assert [group["batch"] for group in about["groups"]] == [4]
    assert [run["labels"] for run in about["runs"]] == [
        [f"content_weight={weight}", f"seed={seed}"] for weight in ("1e-05", "0.001") for seed in (0, 1)
    ]
    for run in about["runs"]:
        assert run["status"] == "done"
        assert run["seconds"] > 0
        folder = tmp_path / run["folder"]
        config = json.loads((folder / "config.json").read_text())
        assert {name: config[name] for name in run["fields"]} == run["fields"]
        assert pixels(folder / "result.png").shape == (21, 32, 3)
        assert [line["step"] for line in metrics(folder)] == [0, 3, 6]
    for name in ("sheet.png", "table.csv", "index.html"):
        assert (tmp_path / name).stat().st_size > 0

    before = {path: path.stat().st_mtime_ns for path in tmp_path.glob("*/result.png")}
    again = call(f"--workdir={tmp_path}", "--resume", module=SWEEP)
    assert again.returncode == 0, again.stderr
    assert "4 runs (4 done), 1 program compiled" in again.stdout
    assert {path: path.stat().st_mtime_ns for path in tmp_path.glob("*/result.png")} == before
    with pytest.raises(UserError, match=r"--workdir: .* already holds a sweep; add --resume"):
        sweep.open_sweep(sweep.parse_flags(["sweep", *flags, *vary]))
    other = ["sweep", *flags, *vary, "--config.tv_weight=1", "--resume"]
    with pytest.raises(UserError, match=r"--resume: tv_weight of 0_.* is 1.0 now but was 0.0"):
        sweep.open_sweep(sweep.parse_flags(other))


CONFIG = """
from ml_collections import ConfigDict
from configs import gatys

def get_config():
    return gatys.get_config()

def sweep(add):
    for pool in ("avg", "max"):
        add(pool, "ok", **{"network.pool": pool})
    add("avg", "diverges", content_weight=3e38, content_layers={"conv2_1": 2.0})
"""


def test_a_sweep_file_of_two_networks_with_a_run_that_diverges(tiny_weights, tmp_path):
    (tmp_path / "mine.py").write_text(CONFIG)
    result = call(*tiny(tiny_weights, tmp_path / "out", tmp_path / "mine.py"), module=SWEEP)
    assert result.returncode == 0, result.stderr
    assert "diverges: the loss is not finite after step 0" in result.stderr
    assert "3 runs (1 diverged, 2 done), 2 programs compiled" in result.stdout
    about = json.loads((tmp_path / "out/sweep.json").read_text())
    assert [run["status"] for run in about["runs"]] == ["done", "done", "diverged"]
    assert about["runs"][2]["config"]["content_layers"] == {"conv2_1": 2.0}, "a dict replaces the whole"
    assert (tmp_path / "out/index.html").exists()


def test_a_killed_sweep_goes_on_and_does_nothing_twice(tiny_weights, tmp_path):
    flags = [
        *tiny(tiny_weights, tmp_path),
        "--vary=seed=0,1,2,3",
        "--batch=2",
        "--config.optimizer.steps=600",
        "--config.log_every=6",
    ]
    process = subprocess.Popen(
        command(*flags, module=SWEEP), cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    half_done = tmp_path / "2_seed=2"
    while process.poll() is None and len(Metrics(half_done / "metrics.jsonl").read()) < 6:
        time.sleep(0.02)
    process.kill()
    process.wait()
    finished = {path: path.stat().st_mtime_ns for path in tmp_path.glob("*/run.json")}
    assert len(finished) == 2
    first_line = metrics(half_done)[0]
    result = call(*flags, "--resume", module=SWEEP)
    assert result.returncode == 0, result.stderr
    assert len(list(tmp_path.glob("*/run.json"))) == 4
    assert all(path.stat().st_mtime_ns == when for path, when in finished.items())
    assert metrics(half_done)[0] == first_line, "it goes on where it was: even the time is that of before"
    for path in tmp_path.glob("*/metrics.jsonl"):
        assert [line["step"] for line in metrics(path.parent)] == list(range(0, 601, 6))


def test_ctrl_c_keeps_what_there_is(tiny_weights, tmp_path):
    flags = [*tiny(tiny_weights, tmp_path), "--vary=seed=0,1", "--batch=1", "--config.optimizer.steps=100000"]
    process = subprocess.Popen(
        command(*flags, module=SWEEP), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    while process.poll() is None and not any(len(metrics(f.parent)) > 2 for f in tmp_path.glob("*/*.jsonl")):
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert f"--workdir={tmp_path} --resume" in output
    about = json.loads((tmp_path / "sweep.json").read_text())
    assert [run["status"] for run in about["runs"]] == ["interrupted", "waiting"]
    assert pixels(tmp_path / about["runs"][0]["folder"] / "result.png").shape == (21, 32, 3)


REFUSED = {
    "inner field": (["--vary=network.pol=avg,max"], "network.pol", "did you mean 'pool'"),
    "value": (["--vary=network.pool=avg,mx"], "network.pool", "mx", "did you mean 'max'"),
    "type": (["--vary=seed=0,x"], "seed", "expected int"),
    "layer": (["--vary=style_layers.conv9_1=1,2"], "style_layers", "conv9_1"),
    "parent": (["--vary=seed.x=1,2"], "seed.x", "has no subfields"),
    "no values": (["--vary=seed"], "--vary", "field=value"),
    "twice": (["--vary=seed=1", "--vary=seed=2"], "--vary", "seed", "twice"),
    "same runs": (["--vary=seed=0,1,0"], "same run"),
    "picture": (
        ["--vary=style=sample:swirls,sample:swirl"],
        "style",
        "did you mean 'sample:swirls'",
        "in run",
    ),
    "batch": (["--vary=seed=0,1", "--batch=0"], "batch"),
    "size": (["--vary=size=32,16", "--config.content_layers.conv5_1=1"], "size", "conv5_1 needs 16"),
}


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED)
def test_refused_with_one_line_and_nothing_left(tiny_weights, tmp_path, case):
    flags, *words = case
    workdir = tmp_path / "sweep"
    argv = ["sweep", *tiny(tiny_weights, workdir), *flags]
    with pytest.raises(UserError) as caught:
        run_sweep(sweep.open_sweep(sweep.parse_flags(argv)))
    assert "\n" not in str(caught.value)
    for word in words:
        assert word in str(caught.value)
    assert not workdir.exists()


def test_a_typo_exits_with_one_line(tiny_weights, tmp_path):
    result = call(*tiny(tiny_weights, tmp_path / "x"), "--vary=content_wieght=1,2", module=SWEEP)
    assert_refused(result, "content_wieght", "did you mean 'content_weight'")


def test_a_sweep_that_fails_or_adds_nothing_is_said_in_one_line(tmp_path):
    path = tmp_path / "mine.py"
    for body, words in {"raise RuntimeError('no luck')": "no luck", "pass": "has no runs"}.items():
        path.write_text(CONFIG.partition("def sweep")[0] + f"def sweep(add):\n    {body}\n")
        with pytest.raises(UserError, match=words):
            sweep.open_sweep(sweep.parse_flags(["sweep", f"--config={path}", f"--workdir={tmp_path / 'x'}"]))
