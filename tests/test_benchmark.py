"""scripts/benchmark.py end to end at a size that says nothing of speed, and the arithmetic of its table."""

import importlib.util
import json
import os
import subprocess
import sys

import numpy as np
import pytest

from nst_jax import config as configs
from tests.command import ROOT, assert_refused, call, metrics

BENCHMARK = ROOT / "scripts" / "benchmark.py"


def benchmark(*flags):
    command = [sys.executable, BENCHMARK, "--config=configs/gatys.py", *map(str, flags)]
    return subprocess.run(command, cwd=ROOT, env=os.environ, capture_output=True, text=True, timeout=300)


def table():
    spec = importlib.util.spec_from_file_location(
        "benchmark_table", BENCHMARK.with_name("benchmark_table.py")
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
def test_the_benchmark_compares_times_and_races(tiny_weights, tmp_path):
    against_torch = importlib.util.find_spec("torch") is not None
    result = benchmark(
        f"--networks=slim={tiny_weights}",
        "--sizes=64",
        "--losses=64",
        "--starts=content",
        "--rounds=1",
        "--evaluations=2",
        "--budget=6",
        f"--workdir={tmp_path}",
    )
    assert result.returncode == 0, result.stderr
    measured = json.loads((tmp_path / "benchmark.json").read_text())
    (row,) = measured["evaluations"]
    assert (row["arch"], row["size"], row["pixels"]) == ("slim", 64, 64 * 43)
    assert (
        0
        < row["jax"]["fastest"]
        <= row["jax"]["seconds"]
        <= row["jax"]["slowest"]
        < row["first_step_cold"]["total"]
    )
    assert row["jax"]["peak_memory"] > row["jax"]["baseline_memory"] > 0
    assert measured["against_torch"] == against_torch == ("PyTorch is not installed" not in result.stdout)
    if against_torch:
        assert row["torch"]["settings"][0] in ("contiguous", "channels_last")
        (race,) = measured["losses"]
        assert race["torch"]["best"] == pytest.approx(min(race["torch"]["losses"]))
        assert race["jax"]["reached"] == (race["jax"]["loss"] <= race["target"])
    assert (
        len([line for line in result.stdout.splitlines() if line.startswith("| slim")]) == 1 + against_torch
    )


def test_growth_is_the_power_of_the_pixels():
    pixels = np.array([1e4, 4e4, 9e4])

    def side(seconds, memory):
        return {"seconds": seconds, "peak_memory": memory + 5e8, "baseline_memory": 5e8}

    rows = [{"arch": "slim", "pixels": p, "jax": side(3e-6 * p**1.25, 800 * p)} for p in pixels]
    (law,) = table().growth(rows)
    assert law["arch"] == "slim"
    assert law["side"] == "jax"
    assert law["time"] == pytest.approx(1.25)
    assert law["memory"] == pytest.approx(1.0)


def test_the_benchmark_asks_for_its_config():
    result = subprocess.run(
        [sys.executable, BENCHMARK], cwd=ROOT, capture_output=True, text=True, timeout=100
    )
    assert_refused(result, "--config")


@pytest.mark.slow
def test_fast_is_the_papers_objective_and_runs(tiny_weights, tmp_path):
    flags = [
        "--config=configs/fast.py",
        "--config.network.arch=slim",
        f"--config.network.weights={tiny_weights}",
    ]
    flags += ["--config.size=64", "--config.optimizer.steps=8", f"--workdir={tmp_path}/run"]
    result = call(*flags)
    assert result.returncode == 0, result.stderr
    lines = metrics(tmp_path / "run")
    assert lines[-1]["step"] == 8
    assert lines[-1]["scale"] == 1.0
    fast = configs.from_dict(json.loads((tmp_path / "run" / "config.json").read_text()))
    paper = configs.Config()
    for field in (
        "content_layers",
        "style_layers",
        "content_weight",
        "style_weight",
        "tv_weight",
        "content_loss",
    ):
        assert getattr(fast, field) == getattr(paper, field)
    assert fast.network.pool == paper.network.pool
