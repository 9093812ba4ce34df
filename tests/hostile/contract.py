"""What every command and reader promises, whatever it is given; and the numbers of generated cases."""

import contextlib
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from nst_jax.errors import LONGEST_LINE, UserError

BRIEF = {"size": 32, "optimizer__steps": 6, "log_every": 2, "snapshot_every": 3}
CHOICES = "choices: "  # a list of choices may be longer than a line


class TooLong(BaseException):
    """A case has exceeded its time limit; no `except Exception` can hide it."""


@contextlib.contextmanager
def within(seconds: float) -> Iterator[None]:
    """Fail if the block takes longer, wherever it hangs."""

    def stop(*_: object) -> None:
        raise TooLong(f"more than {seconds} seconds")

    previous = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)


def cases(quick: int, all_of_them: int) -> list:
    """Seeds: `quick` ones for every run of the tests, and the rest marked slow."""
    rest = [pytest.param(seed, marks=pytest.mark.slow) for seed in range(quick, all_of_them)]
    return [*range(quick), *rest]


def assert_line(line: str) -> None:
    """One printable line of limited length."""
    assert line.isprintable(), repr(line)
    assert len(line) <= LONGEST_LINE or CHOICES in line, line
    assert "Traceback" not in line


def assert_refusal(error: UserError) -> None:
    """The message of a `UserError`: one line for a user, about something."""
    assert_line(str(error))
    assert len(str(error)) > 8, error


def assert_promises(result: subprocess.CompletedProcess[str], *statuses: int) -> None:
    """Status 0 or 2, or one of `statuses`; with 2, the last line says why, and no line is a traceback."""
    assert result.returncode in (statuses or (0, 2)), result.stderr
    # A progress bar rewrites its line.
    lines = [line for line in re.split(r"[\r\n]", result.stderr) if line.strip() and "step/s" not in line]
    for line in lines:
        assert "Traceback" not in line, result.stderr
        assert line.isprintable(), repr(line)
    if result.returncode == 2:
        assert lines[-1].startswith("error: "), result.stderr
        assert_line(lines[-1].removeprefix("error: "))
        assert sum(line.startswith("error: ") for line in lines) == 1, result.stderr


def assert_tidy(folder: Path) -> None:
    """No temporary file and no lock is left in `folder`."""
    left = [
        path for path in folder.rglob("*") if path.name.endswith(".part") or path.name in (".lock", ".holder")
    ]
    assert not left, left
