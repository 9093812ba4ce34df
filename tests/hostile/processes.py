"""Real processes, and what is expected of them."""

import contextlib
import subprocess
import time
from pathlib import Path

from tests.command import ROOT, command
from tests.hostile.contract import assert_line

QUIET = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "cwd": ROOT, "errors": "replace"}
LIMIT = 240  # seconds a case
ENDLESS = {"size": 32, "optimizer__steps": 1_000_000, "log_every": 5}
SHORT = {"size": 32, "optimizer__steps": 60, "log_every": 5}


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


def assert_one_error(process, *words):
    assert process.returncode == 2, process.stderr
    line = process.stderr.strip().splitlines()[-1]
    assert line.startswith("error: ")
    assert_line(line.removeprefix("error: "))
    assert "Traceback" not in process.stderr
    for word in words:
        assert word in line
