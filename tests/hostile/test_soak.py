"""A sweep of 300 runs that is killed at random moments until it is done, and one that is left alone."""

import contextlib
import random
import signal
import statistics
import subprocess
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from tests.command import command, metrics, pixels, tiny
from tests.hostile.contract import assert_tidy
from tests.hostile.processes import LIMIT, QUIET

RUNS, BATCH = 300, 4
SIGNALS = (signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
MOST_KILLS = 100
LONG = 1800  # seconds
MIB = 1 << 20


def flags(weights: Path, folder: Path) -> list[str]:
    settings = {"size": 32, "optimizer__steps": 25, "log_every": 25, "snapshot_every": 25}
    seeds = ",".join(map(str, range(RUNS)))
    return [*tiny(weights, folder, **settings), f"--vary=seed={seeds}", f"--batch={BATCH}"]


def results(folder: Path) -> int:
    return sum(1 for _ in folder.glob("*/result.png"))


def started(arguments: list[str]) -> subprocess.Popen:
    return subprocess.Popen(
        command(*arguments, module="nst_jax.sweep"), **QUIET | {"stderr": subprocess.DEVNULL}
    )


def watched(arguments: list[str], folder: Path) -> list[tuple[int, int]]:
    """Run a sweep to its end; return pairs of its results so far and its resident memory in bytes."""
    process = started(arguments)
    samples, resident = [], psutil.Process(process.pid)
    while process.poll() is None:
        with contextlib.suppress(psutil.NoSuchProcess):
            samples.append((results(folder), resident.memory_info().rss))
        time.sleep(0.2)
    output, _ = process.communicate()
    assert process.returncode == 0, output
    return samples


def killed_until_done(arguments: list[str], folder: Path, generator: random.Random) -> int:
    """Start a sweep again and again, and end it after a random time while it paints; return the kills."""
    for kills in range(MOST_KILLS):
        process = started([*arguments, "--resume"])
        # The gallery at the end starts from the beginning each time, and takes longer than these seconds.
        patience = generator.uniform(1, 25) if results(folder) < RUNS else LONG
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=patience)
        if process.poll() is not None:
            assert process.returncode == 0
            return kills
        process.send_signal(generator.choice(SIGNALS))
        process.communicate(timeout=LIMIT)
    raise AssertionError(f"not done after {MOST_KILLS} kills")


@pytest.mark.slow
def test_300_runs_lose_nothing_and_keep_their_memory(tiny_weights, tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    samples = watched(flags(tiny_weights, whole), whole)
    first, last = (
        statistics.median(memory for count, memory in samples if low <= count < high)
        for low, high in ((RUNS // 30, RUNS // 3), (2 * RUNS // 3, RUNS))
    )
    print(f"resident memory: {first / MIB:.0f} MiB in the first hundred, {last / MIB:.0f} in the last")
    assert last < first + 20 * MIB

    kills = killed_until_done(flags(tiny_weights, killed), killed, random.Random(0))
    print(f"{kills} kills")
    assert kills >= 3
    assert results(whole) == results(killed) == RUNS
    for folder in sorted(path for path in whole.iterdir() if (path / "result.png").exists()):
        other = killed / folder.name
        np.testing.assert_array_equal(pixels(folder / "result.png"), pixels(other / "result.png"))
        for ours, theirs in zip(metrics(folder), metrics(other), strict=True):
            assert {**ours, "seconds": 0} == {**theirs, "seconds": 0}
        assert not (other / "checkpoint.safetensors").exists()
    left = {path.relative_to(killed) for path in killed.rglob("*") if not path.name.endswith(".part")}
    assert left == {path.relative_to(whole) for path in whole.rglob("*")}
    assert_tidy(whole)
