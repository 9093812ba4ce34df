"""Sweeps on real clusters of this machine: nodes that live and nodes that are killed."""

import json
import signal
import subprocess
import sys
import time

import pytest

from nst_jax import images
from nst_jax.cluster import joining
from tests.command import ROOT, call, call_process

pytest.importorskip("ray")
pytestmark = pytest.mark.slow
CONFIG = """
from configs import quick

def get_config():
    config = quick.get_config()
    config.size = 48
    config.scales = (1.0,)
    config.optimizer.steps = {steps}
    config.style_layers = {{"conv1_1": 1.0, "conv2_1": 1.0}}
    config.content_layers = {{"conv2_2": 1.0}}
    config.network.conv = "direct"
    return config
"""


def sweep(tmp_path, name, steps, runs, *more):
    config = tmp_path / f"{name}_config.py"
    config.write_text(CONFIG.format(steps=steps))
    seeds = ",".join(map(str, range(runs)))
    return [f"--config={config}", f"--vary=seed={seeds}", "--batch=2", f"--workdir={tmp_path / name}", *more]


def start(flags):
    return subprocess.Popen(
        [sys.executable, "-m", "nst_jax.sweep", *flags],
        cwd=ROOT,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def finished(folder):
    records = {path.parent: json.loads(path.read_text()) for path in sorted(folder.glob("*/run.json"))}
    return [run for run, record in records.items() if record["status"] == "done"]


def wait_for(condition, seconds=300):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.05)


def test_killed_nodes_lose_nothing_and_results_are_those_of_one_machine(cluster, tmp_path):
    runs = 12
    alone = call_process(*sweep(tmp_path, "alone", 40, runs), module="nst_jax.sweep")
    assert alone.returncode == 0, alone.stderr
    process = start(sweep(tmp_path, "remote", 40, runs, f"--cluster={cluster.address}"))
    folder = tmp_path / "remote"
    for kills in (1, 2):
        wait_for(lambda kills=kills: len(finished(folder)) >= 2 * kills or process.poll() is not None)
        cluster.remove_node(cluster.worker_nodes.copy().pop(), allow_graceful=False)
        cluster.add_node(num_cpus=1)
    output, _ = process.communicate(timeout=600)
    assert process.returncode == 0, output
    assert len(finished(folder)) == runs
    for path in finished(folder):
        here = images.read(str(path / "result.png"))
        assert (here == images.read(str(tmp_path / "alone" / path.name / "result.png"))).all(), path.name
        lines = [json.loads(line)["step"] for line in (path / "metrics.jsonl").read_text().splitlines()]
        assert lines == [0, 10, 20, 30, 40]
    for name in ("sheet.png", "table.csv", "index.html"):
        assert (folder / name).exists()


def test_ctrl_c_saves_and_resume_completes(cluster, tmp_path):
    flags = sweep(tmp_path, "remote", 200, 4, f"--cluster={cluster.address}")
    process = start(flags)
    wait_for(lambda: list((tmp_path / "remote").glob("*/metrics.jsonl")))
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 130, output
    assert "Traceback" not in output
    again = call_process(
        f"--workdir={tmp_path / 'remote'}", "--resume", f"--cluster={cluster.address}", module="nst_jax.sweep"
    )
    assert again.returncode == 0, again.stderr
    assert len(finished(tmp_path / "remote")) == 4


def test_another_version_of_the_package_is_refused(cluster, tmp_path, monkeypatch):
    monkeypatch.setattr(joining, "versions_here", lambda: {"nst-jax": "0.0.0"})
    result = call(*sweep(tmp_path, "remote", 10, 2, f"--cluster={cluster.address}"), module="nst_jax.sweep")
    assert result.returncode == 2
    assert "but 0.0.0 here" in result.stderr
    assert not (tmp_path / "remote").exists()
