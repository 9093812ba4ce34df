"""The interface of a log: how the curves and pictures of one run are written for another program."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from jaxtyping import UInt8
from numpy import ndarray


class Writer(NamedTuple):
    """An open log of one run."""

    curves: Callable[[int, Mapping[str, Any]], None]  # values by name, after a step
    picture: Callable[[int, str, UInt8[ndarray, "h w 3"]], None]  # called 'picture' or 'result'
    flush: Callable[[], None]
    close: Callable[[], None]


class Log(NamedTuple):
    """A kind of log.

    `begun(run)` tells whether a run folder has been logged, whose log `start(run, settings)` then continues.
    """

    package: str  # that has to be installed
    begun: Callable[[Path], bool]
    start: Callable[[Path, Mapping[str, Any]], Writer]
