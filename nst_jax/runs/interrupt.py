"""Ctrl-C as a request to stop, so that results can be saved first."""

import signal
from types import FrameType
from typing import Any

from tqdm import tqdm


class CtrlC:
    """Context manager in which the first Ctrl-C only sets `pressed`; the second one interrupts at once."""

    def __init__(self) -> None:
        """Start with `pressed` False."""
        self.pressed = False
        self._handler: Any = None

    def __enter__(self) -> "CtrlC":
        self._handler = signal.signal(signal.SIGINT, self._press)
        return self

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGINT, self._handler)

    def _press(self, number: int, frame: FrameType | None) -> None:
        if self.pressed:
            raise KeyboardInterrupt
        self.pressed = True
        tqdm.write("stopping after the current step; press Ctrl-C again to quit at once without saving")
