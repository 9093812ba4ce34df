"""Closed outputs, narrow encodings, full disks and missing permissions, with real processes."""

import contextlib
import ctypes
import os
import resource
import subprocess
import sys

import numpy as np
import pytest

from tests.command import command, pixels, tiny
from tests.hostile.processes import ENDLESS, LIMIT, QUIET, SHORT, assert_one_error, finish, started, wait_for


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


# linux/capability.h, linux/prctl.h
CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, PR_CAPBSET_DROP = 1, 2, 24


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
    checkpoint = tmp_path / "run" / "checkpoint.safetensors"
    with started(*tiny(tiny_weights, tmp_path / "run", **ENDLESS)) as process:
        wait_for(checkpoint, process)
        while not checkpoint.is_dir():  # a folder cannot be replaced by a file
            checkpoint.unlink(missing_ok=True)
            with contextlib.suppress(FileExistsError):
                checkpoint.mkdir()
        out, err = process.communicate(timeout=LIMIT)
        ended = subprocess.CompletedProcess(process.args, process.returncode, out, err)
        assert_one_error(ended, "checkpoint.safetensors", "the picture so far is saved as result.png")
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


def without_privileges() -> None:
    """Let permissions hold for root too, by dropping the capabilities that override them."""
    if os.getuid() == 0:
        for capability in (CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH):
            ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, capability)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="root's privileges are dropped as Linux does it")
@pytest.mark.parametrize("what", ["workdir", "run", "config", "content", "weights", "cache", "lock"])
def test_missing_permissions_are_said_in_a_line(tiny_weights, tmp_path, what):
    private, folder = tmp_path / "private", tmp_path / "run"
    private.mkdir()
    environment = {**os.environ, "NST_JAX_CACHE": str(private if what == "cache" else tmp_path / "cache")}
    flags = tiny(tiny_weights, private / "run" if what == "workdir" else folder, **SHORT)
    if what == "config":
        flags = [f"--config={private / 'config.py'}", f"--workdir={folder}"]
    elif what == "content":
        flags.append(f"--config.content={private / 'picture.png'}")
    elif what == "weights":
        flags.append(f"--config.network.weights={private / 'w.safetensors'}")
    elif what in ("run", "lock"):
        folder.mkdir()
        (folder / ".lock").touch()
        (folder / ".lock" if what == "lock" else folder).chmod(0)
    private.chmod(0)
    try:
        result = finish(*flags, preexec_fn=without_privileges, env=environment)
    finally:
        private.chmod(0o700)
        if folder.exists():
            folder.chmod(0o700)
    if what == "cache":
        assert result.returncode == 0, result.stderr
        assert "compiled again" in result.stderr
    else:
        assert_one_error(result)
        assert not (folder / "result.png").exists()
