"""Sweeps on real clusters of this machine: nodes that live and nodes that are killed."""

import json
import signal
import subprocess
import sys
import time

import pytest

from nst_jax import images
from nst_jax.cluster import joining
from tests.command import ROOT, call

pytest.importorskip("ray")
pytestmark = pytest.mark.slow
PATIENCE = 3600  # seconds; on idle cores, minutes are enough
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


def output_of(process):
    """What a process prints until it ends; it is killed if it does not."""
    try:
        return process.communicate(timeout=PATIENCE)[0]
    except subprocess.TimeoutExpired:
        process.kill()
        raise


def finished(folder):
    records = {path.parent: json.loads(path.read_text()) for path in sorted(folder.glob("*/run.json"))}
    return [run for run, record in records.items() if record["status"] == "done"]


def wait_for(condition):
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.05)


def test_killed_nodes_lose_nothing_and_results_are_those_of_one_machine(cluster, tmp_path):
    runs = 40
    alone = start(sweep(tmp_path, "alone", 40, runs))
    output = output_of(alone)
    assert alone.returncode == 0, output
    process = start(sweep(tmp_path, "remote", 40, runs, f"--cluster={cluster.address}"))
    folder = tmp_path / "remote"
    for kills in (1, 2):
        wait_for(lambda kills=kills: len(finished(folder)) >= 10 * kills or process.poll() is not None)
        assert process.poll() is None, output_of(process)
        cluster.remove_node(cluster.worker_nodes.copy().pop(), allow_graceful=False)
        cluster.add_node(num_cpus=1)
    output = output_of(process)
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
    runs = 6  # three tasks on two nodes: one is still waiting when the signal comes
    process = start(sweep(tmp_path, "remote", 200, runs, f"--cluster={cluster.address}"))
    folder = tmp_path / "remote"
    wait_for(lambda: list(folder.glob("*/metrics.jsonl")) or process.poll() is not None)
    process.send_signal(signal.SIGINT)
    output = output_of(process)
    assert process.returncode == 130, output
    assert "Traceback" not in output
    assert len(finished(folder)) < runs
    again = start([f"--workdir={folder}", "--resume", f"--cluster={cluster.address}"])
    output = output_of(again)
    assert again.returncode == 0, output
    assert len(finished(folder)) == runs


def test_another_version_of_the_package_is_refused(cluster, tmp_path, monkeypatch):
    monkeypatch.setattr(joining, "versions_here", lambda: {"nst-jax": "0.0.0"})
    result = call(*sweep(tmp_path, "remote", 10, 2, f"--cluster={cluster.address}"), module="nst_jax.sweep")
    assert result.returncode == 2
    assert "but 0.0.0 here" in result.stderr
    assert not (tmp_path / "remote").exists()
