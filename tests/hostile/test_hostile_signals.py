"""Second processes, signals and kills at any moment, with real processes."""

import contextlib
import os
import random
import signal
import subprocess
import threading
import time

import numpy as np
import pytest

from nst_jax.runs.metrics import Metrics
from tests.command import assert_refused, call, metrics, pixels, tiny
from tests.hostile.contract import cases, within
from tests.hostile.processes import ENDLESS, LIMIT, SHORT, assert_one_error, finish, started, wait_for


def test_a_second_process_is_refused_and_a_dead_one_is_no_obstacle(tiny_weights, tmp_path):
    folder = tmp_path / "run"
    with started(*tiny(tiny_weights, folder, **ENDLESS)) as process:
        wait_for(folder / "checkpoint.safetensors", process)
        for flags in (tiny(tiny_weights, folder, **ENDLESS), [f"--workdir={folder}", "--resume"]):
            assert_refused(call(*flags), str(folder), f"process {process.pid}")
        process.kill()
        process.wait()
    assert (folder / ".lock").exists(), "the dead process has left it"
    step = last_step(folder)
    with terminated_when(lambda: last_step(folder) > step):
        assert call(f"--workdir={folder}", "--resume").returncode == 128 + signal.SIGTERM
    assert last_step(folder) > step
    assert not (folder / ".lock").exists()


def last_step(folder):
    return Metrics(folder / "metrics.jsonl").read()[-1]["step"]


@contextlib.contextmanager
def terminated_when(condition):
    """Send SIGTERM to this process, in which a command runs, as soon as `condition` holds."""
    ended = threading.Event()

    def watch():
        while not ended.wait(0.05):
            if condition():
                return os.kill(os.getpid(), signal.SIGTERM)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        with within(LIMIT):
            yield
    finally:
        ended.set()
        thread.join()


@pytest.mark.slow
def test_a_second_sweep_is_refused(tiny_weights, tmp_path):
    flags = [*tiny(tiny_weights, tmp_path / "sweep", **ENDLESS), "--vary=seed=0,1"]
    with started(*flags, module="nst_jax.sweep") as process:
        wait_for(tmp_path / "sweep" / "0_seed=0" / "metrics.jsonl", process)
        for more in ([*flags], [f"--workdir={tmp_path / 'sweep'}", "--resume"]):
            assert_one_error(finish(*more, module="nst_jax.sweep"), f"process {process.pid}")
        run = tmp_path / "sweep" / "0_seed=0"
        assert_one_error(finish(f"--workdir={run}", "--resume"), f"process {process.pid}")


@pytest.mark.parametrize(
    "name",
    [
        "SIGTERM",
        pytest.param("SIGHUP", marks=pytest.mark.slow),
        pytest.param("SIGINT", marks=pytest.mark.slow),
    ],
)
def test_a_signal_saves_the_picture_and_the_checkpoint(tiny_weights, tmp_path, name):
    folder, number = tmp_path / "run", getattr(signal, name)
    with started(*tiny(tiny_weights, folder, **ENDLESS)) as process:
        wait_for(folder / "checkpoint.safetensors", process)
        process.send_signal(number)
        out, err = process.communicate(timeout=LIMIT)
    assert process.returncode == 128 + number, err
    assert "Traceback" not in err
    assert "interrupted: " in out
    assert pixels(folder / "result.png").shape == (21, 32, 3)
    assert (folder / "checkpoint.safetensors").exists()
    assert not (folder / ".lock").exists()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGINT"])
def test_a_signal_ends_a_sweep_likewise(tiny_weights, tmp_path, name):
    flags = [*tiny(tiny_weights, tmp_path / "sweep", **ENDLESS), "--vary=seed=0,1"]
    with started(*flags, module="nst_jax.sweep") as process:
        wait_for(tmp_path / "sweep" / "1_seed=1" / "checkpoint.safetensors", process)
        process.send_signal(getattr(signal, name))
        _, err = process.communicate(timeout=LIMIT)
    assert process.returncode == 128 + getattr(signal, name), err
    assert "Traceback" not in err
    assert (tmp_path / "sweep" / "0_seed=0" / "result.png").exists()


@pytest.mark.slow
def test_a_signal_that_was_ignored_remains_ignored(tiny_weights, tmp_path):
    """As under nohup."""
    folder = tmp_path / "run"
    ignore = lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)  # noqa: E731
    with started(*tiny(tiny_weights, folder, **ENDLESS), preexec_fn=ignore) as process:
        wait_for(folder / "checkpoint.safetensors", process)
        process.send_signal(signal.SIGHUP)
        time.sleep(1)
        assert process.poll() is None


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(12))
def test_many_signals_at_any_moment_leave_no_traceback(tiny_weights, tmp_path, seed):
    generator = random.Random(seed)
    numbers = generator.choice(((signal.SIGINT,), (signal.SIGTERM,), (signal.SIGINT, signal.SIGTERM)))
    with started(*tiny(tiny_weights, tmp_path / "run", **ENDLESS)) as process:
        time.sleep(generator.uniform(0.5, 10))
        for _ in range(generator.choice((2, 5, 20))):
            process.send_signal(generator.choice(numbers))
            time.sleep(generator.choice((0.0, 0.01, 0.3, 0.7)))
        _, err = process.communicate(timeout=LIMIT)
    # Before Python has started, a signal ends the process by itself.
    early = [-number for number in numbers]
    assert process.returncode in [128 + number for number in numbers] + early, err
    assert "Traceback" not in err or "nst_jax" not in err, err


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(12))
def test_kills_at_any_moment_lose_nothing(tiny_weights, short, tmp_path, seed):
    generator, folder = random.Random(seed), tmp_path / "run"
    flags = [*tiny(tiny_weights, folder, **SHORT), "--resume"]
    for _ in range(3):
        with started(*flags) as process:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(generator.uniform(2, 9))
            process.send_signal(generator.choice((signal.SIGKILL, signal.SIGTERM, signal.SIGINT)))
            process.communicate(timeout=LIMIT)
    assert finish(*flags).returncode == 0
    np.testing.assert_array_equal(pixels(folder / "result.png"), pixels(short / "result.png"))
    for ours, theirs in zip(metrics(folder), metrics(short), strict=True):
        assert {**ours, "seconds": 0} == {**theirs, "seconds": 0}


@pytest.mark.slow
@pytest.mark.parametrize("seed", cases(0, 6))
def test_two_processes_that_start_together(tiny_weights, short, tmp_path, seed):
    """One paints, the other is refused; whichever wins."""
    flags = tiny(tiny_weights, tmp_path / "run", **SHORT)
    with started(*flags) as first:
        time.sleep(random.Random(seed).uniform(0, 0.5))
        with started(*flags) as second:
            ends = [process.communicate(timeout=LIMIT) for process in (first, second)]
    statuses = sorted(process.returncode for process in (first, second))
    assert statuses == [0, 2], ends
    np.testing.assert_array_equal(pixels(tmp_path / "run" / "result.png"), pixels(short / "result.png"))
