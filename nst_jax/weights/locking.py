"""A lock between processes that dies with its holder, so a crash never leaves it behind."""

import contextlib
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from absl import logging

from nst_jax.files import cannot_write

_POLL = 0.2  # seconds

if sys.platform == "win32":
    import msvcrt

    def _acquire(file: IO[bytes]) -> None:
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _acquire(file: IO[bytes]) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock file `path`, which stays behind empty; wait while another process holds it.

    Raises:
        UserError: the file cannot be made.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("ab")
    except OSError as error:
        raise cannot_write(path, error) from error
    with file:
        _wait_for(file, path)
        yield


def _wait_for(file: IO[bytes], path: Path) -> None:
    told = False
    while True:
        try:
            return _acquire(file)
        except (BlockingIOError, PermissionError):
            if not told:
                logging.warning("waiting for another process that holds %s", path)
            told = True
            time.sleep(_POLL)
        except OSError:
            # A file system without locks; two at once are rare, and the digest still guards.
            return None
