"""Ctrl-C, SIGTERM and SIGHUP as requests to stop, so that results can be saved first.

Schedulers send SIGTERM, and closing terminals SIGHUP. A signal that was ignored when the process started, as
under nohup, remains ignored.
"""

import contextlib
import math
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
# Launchers such as `timeout` pass on a signal that the process has already received: these count as one.
REPEAT_SECONDS = 0.5
REDELIVERY_SECONDS = 0.01
_STOPPING = b"\nstopping after the current step; press Ctrl-C again to quit at once without saving\n"
_STDERR = 2

Handler = Callable[[int, FrameType | None], Any]


class Interrupted(KeyboardInterrupt):
    """A signal ends the command at once."""

    def __init__(self, number: int):
        """`number` is that of the signal."""
        super().__init__(signal.Signals(number).name)
        self.exit_status = exit_status(number)


class StopSignal:
    """Context manager in which a signal only sets `number`; a second Ctrl-C raises `Interrupted`."""

    def __init__(self) -> None:
        """Start without a request to stop."""
        self.number = 0  # of the signal that was received; 0 for none
        self._received = 0.0
        self._previous: dict[int, Any] = {}

    @property
    def requested(self) -> bool:
        """Whether a signal has been received."""
        return self.number != 0

    @property
    def exit_status(self) -> int:
        """The exit status of a command that this signal ended."""
        return exit_status(self.number)

    def __enter__(self) -> "StopSignal":
        self._previous = handle(self._receive)
        return self

    def __exit__(self, *_: object) -> None:
        for number, previous in self._previous.items():
            if signal.getsignal(number) == self._receive:  # not if `interrupt` has replaced it
                signal.signal(number, previous)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        if not self.number:
            self.number, self._received = number, time.monotonic()
            # Unbuffered, because a handler must not enter a stream that the main program may be writing to.
            _write_stderr(_STOPPING)
        elif number == signal.SIGINT and time.monotonic() - self._received > REPEAT_SECONDS:
            interrupt(number, frame)


def exit_status(number: int) -> int:
    """The exit status of a command that was ended by the signal `number`, as shells report it."""
    return 128 + number


def handle(handler: Handler) -> dict[int, Any]:
    """Handle all `SIGNALS` that are not ignored by `handler`; return the previous handlers.

    Python allows this in the main thread only; in other threads, nothing changes.
    """
    try:
        return {
            number: signal.signal(number, handler)
            for number in SIGNALS
            if signal.getsignal(number) is not signal.SIG_IGN
        }
    except ValueError:
        return {}


@contextlib.contextmanager
def postponed() -> Iterator[None]:
    """Deliver signals that arrive in the block after it, such as while a child process is being started."""
    received: list[int] = []
    previous = handle(lambda number, frame: received.append(number))
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
    for number in received:
        signal.raise_signal(number)


def interrupt(number: int, frame: FrameType | None) -> None:
    """Handle a signal by raising `Interrupted`; later signals end the process without a traceback."""
    del frame
    handle(partial(_leave, time.monotonic()))
    raise Interrupted(number)


def redeliver(unraisable: Any) -> None:
    """Send a signal again whose exception was swallowed; as `sys.unraisablehook`.

    It had arrived in a callback, such as one of the garbage collector, out of which Python raises nothing.
    """
    if not isinstance(unraisable.exc_value, Interrupted):
        sys.__unraisablehook__(unraisable)
        return
    handle(interrupt)
    number = unraisable.exc_value.exit_status - exit_status(0)
    threading.Timer(REDELIVERY_SECONDS, _signal_main_thread, (number,)).start()


def leave_at_once() -> None:
    """Let signals end the process immediately: its work is done, and Python is only cleaning up."""
    handle(partial(_leave, -math.inf))


def started_as_command() -> bool:
    """Whether Python was started as a command of this project."""
    _, module, name = " ".join(sys.orig_argv).partition(" -m ")
    if module and name.startswith(("nst_jax", "experiments.")):
        return True
    return Path(sys.argv[0]).stem == "nst-jax"


def _signal_main_thread(number: int) -> None:
    if hasattr(signal, "pthread_kill"):
        # From another thread, `raise_signal` would not wake the main one out of a long call.
        signal.pthread_kill(threading.main_thread().ident or 0, number)
    else:
        signal.raise_signal(number)


def _leave(since: float, number: int, frame: FrameType | None) -> None:
    if time.monotonic() - since > REPEAT_SECONDS:
        os._exit(exit_status(number))


def _write_stderr(text: bytes) -> None:
    with contextlib.suppress(OSError):  # it is closed, or its disk is full
        os.write(_STDERR, text)
