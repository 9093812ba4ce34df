"""Signals, second processes, closed outputs, full disks and missing permissions, with real processes."""

import contextlib
import os
import random
import resource
import signal
import stat
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest

from tests.command import ROOT, command, metrics, pixels, tiny
from tests.hostile.contract import assert_line, cases
from tests.hostile.test_hostile_folders import SHALLOW

QUIET = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "cwd": ROOT, "errors": "replace"}
LIMIT = 240  # seconds a case
ENDLESS = {"size": 32, "optimizer__steps": 1_000_000, "log_every": 5, **SHALLOW}
SHORT = {"size": 32, "optimizer__steps": 60, "log_every": 5, **SHALLOW}


@contextlib.contextmanager
def started(*flags, module="nst_jax.run", **options):
    process = subprocess.Popen(command(*flags, module=module), **QUIET | options)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def finish(*flags, module="nst_jax.run", **options):
    return subprocess.run(command(*flags, module=module), timeout=LIMIT, **QUIET | options)


def wait_for(path: Path, process) -> None:
    end = time.monotonic() + LIMIT
    while not path.exists() and process.poll() is None and time.monotonic() < end:
        time.sleep(0.02)
    assert path.exists(), process.communicate()


def last_line(text: str) -> str:
    return text.strip().splitlines()[-1]


def assert_one_error(process, *words):
    assert process.returncode == 2, process.stderr
    line = last_line(process.stderr)
    assert line.startswith("error: ")
    assert_line(line.removeprefix("error: "))
    assert "Traceback" not in process.stderr
    for word in words:
        assert word in line


def test_a_second_process_is_refused_and_a_dead_one_is_no_obstacle(tiny_weights, tmp_path):
    folder = tmp_path / "run"
    with started(*tiny(tiny_weights, folder, **ENDLESS)) as process:
        wait_for(folder / "checkpoint.safetensors", process)
        for flags in (tiny(tiny_weights, folder, **ENDLESS), [f"--workdir={folder}", "--resume"]):
            assert_one_error(finish(*flags), str(folder), f"process {process.pid}")
        process.kill()
        process.wait()
        steps = [line["step"] for line in metrics(folder)]
    with started(f"--workdir={folder}", "--resume") as process:
        end = time.monotonic() + LIMIT
        while metrics(folder)[-1]["step"] <= steps[-1] and time.monotonic() < end:
            time.sleep(0.1)
        assert process.poll() is None, "it has resumed"


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


@pytest.fixture(scope="module")
def short(tiny_weights, tmp_path_factory):
    folder = tmp_path_factory.mktemp("short") / "run"
    assert finish(*tiny(tiny_weights, folder, **SHORT)).returncode == 0
    return folder


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
@pytest.mark.parametrize(
    "redirection", [">&-", "2>&-", ">&- 2>&-", "> /dev/full", "2> /dev/full", "| true", "2>&1 | true"]
)
def test_a_run_needs_no_output(tiny_weights, short, tmp_path, redirection):
    flags = " ".join(f"'{part}'" for part in command(*tiny(tiny_weights, tmp_path / "run", **SHORT)))
    script = f"set -o pipefail; {flags} {redirection}"
    result = subprocess.run(["bash", "-c", script], timeout=LIMIT, **QUIET)
    assert result.returncode == 0, result.stderr
    assert "Traceback" not in result.stderr
    np.testing.assert_array_equal(pixels(tmp_path / "run" / "result.png"), pixels(short / "result.png"))


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["größe €", "a\nb", "\x1b[31m", os.fsdecode(b"\xff\xfe"), "-x", "--workdir=a", " "]
)
def test_folders_of_any_name_in_an_ascii_terminal(tiny_weights, tmp_path, name):
    ascii_only = {**os.environ, "PYTHONIOENCODING": "ascii", "LC_ALL": "C", "PYTHONUTF8": "0"}
    result = finish(*tiny(tiny_weights, tmp_path / name, **SHORT), env=ascii_only)
    assert result.returncode == 0, result.stderr
    assert (tmp_path / name / "result.png").exists()
    assert result.stdout.isascii()
    assert result.stdout.replace("\n", "").isprintable()


def limited(size):
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


@pytest.mark.slow
@pytest.mark.parametrize("size", [0, 100, 1000, 3000, 8000, 20_000, 60_000, 200_000])
def test_a_full_disk_is_said_in_a_line(tiny_weights, tmp_path, size):
    """A limit of the size of files stands for the disk; only the files that fit are written."""
    environment = {**os.environ, "NST_JAX_CACHE": str(tmp_path / "cache")}
    result = finish(*tiny(tiny_weights, tmp_path / "run", **SHORT), preexec_fn=limited(size), env=environment)
    assert result.returncode in (0, 2), result.stderr
    assert "Traceback" not in result.stderr
    if result.returncode == 2:
        assert_one_error(result)
    assert not list((tmp_path / "run").glob("*.part"))


@pytest.mark.slow
def test_a_checkpoint_that_cannot_be_written_leaves_the_picture(tiny_weights, tmp_path):
    (tmp_path / "run" / "checkpoint.safetensors").mkdir(parents=True)
    result = finish(*tiny(tiny_weights, tmp_path / "run", **ENDLESS))
    assert_one_error(result, "checkpoint.safetensors", "the picture so far is saved as result.png")
    assert pixels(tmp_path / "run" / "result.png").shape == (21, 32, 3)


@pytest.mark.slow
@pytest.mark.parametrize("cache", ["/proc/nst_jax", "/dev/null/cache", "/dev/full", "x" * 300])
def test_a_run_needs_no_cache(tiny_weights, tmp_path, cache):
    environment = {**os.environ, "NST_JAX_CACHE": cache}
    result = finish(*tiny(tiny_weights, tmp_path / "run", **SHORT), env=environment)
    assert result.returncode == 0, result.stderr
    warnings = [line for line in result.stderr.splitlines() if line.startswith("WARNING")]
    assert len(warnings) == 1, result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    "workdir", ["x" * 300, "/proc/nst_jax", "/dev/null", "/dev/null/run", "/dev/full/run", "", "\0"]
)
def test_folders_that_cannot_be_are_refused(tiny_weights, tmp_path, workdir):
    if "\0" in workdir:
        workdir = "/dev/../dev/null"
    flags = [flag for flag in tiny(tiny_weights, tmp_path, **SHORT) if not flag.startswith("--workdir")]
    assert_one_error(finish(*flags, f"--workdir={workdir}"))


@pytest.mark.slow
@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
@pytest.mark.parametrize("what", ["workdir", "config", "content", "weights", "cache"])
def test_missing_permissions_are_said_in_a_line(tiny_weights, tmp_path, what):
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    for path in (tmp_path, *tmp_path.parents[:2]):
        path.chmod(path.stat().st_mode | stat.S_IROTH | stat.S_IXOTH)
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    weights = tmp_path / "open" / "tiny.safetensors"
    weights.write_bytes(tiny_weights.read_bytes())
    environment = {**os.environ, "NST_JAX_CACHE": str(tmp_path / "open" / "cache"), "HOME": "/nonexistent"}
    flags = tiny(weights, tmp_path / "open" / "run", **SHORT)
    if what == "workdir":
        flags = tiny(weights, private / "run", **SHORT)
    elif what == "config":
        (private / "config.py").write_text("def get_config():\n  return {}\n")
        flags = [f"--config={private / 'config.py'}", f"--workdir={tmp_path / 'open' / 'run'}"]
    elif what == "content":
        flags.append(f"--config.content={private / 'picture.png'}")
    elif what == "weights":
        flags.append(f"--config.network.weights={private / 'w.safetensors'}")
    else:
        environment["NST_JAX_CACHE"] = str(private / "cache")
    result = finish(*flags, user=65534, group=65534, extra_groups=[], env=environment)
    if what == "cache":
        assert result.returncode == 0, result.stderr
        assert "compiled again" in result.stderr
    else:
        assert_one_error(result)
        assert not (tmp_path / "open" / "run").exists()


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
