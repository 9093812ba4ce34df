"""Locks between processes. The operating system releases them when their holder dies."""

import contextlib
import errno
import os
import platform
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from absl import logging

from nst_jax.errors import UserError
from nst_jax.files import cannot_write, open_regular

LOCK = ".lock"  # the file in a folder that a process locks
HOLDER = ".holder"  # the file that names the process: on Windows, nobody can read or write a locked one
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)


@contextlib.contextmanager
def claimed(folder: Path, new: bool = False) -> Iterator[None]:
    """Hold `folder` for this process: no other one can hold it, so none writes into it.

    The folder is created if it is missing, and removed if the block leaves it empty. The operating system
    releases the lock if its holder dies. On a file system without locks, a warning says that there is none.

    Raises:
        UserError: another process holds the folder, it cannot be written, or with `new` it is not empty.
    """
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    lock = _lock_of(folder / LOCK)
    try:
        _claim(folder, lock)
        if new and any(path.name not in (LOCK, HOLDER) for path in folder.iterdir()):
            raise UserError(f"--workdir: {folder} is not empty; choose another folder")
        yield
    finally:
        if lock.is_locked:
            _release(folder, lock)
        with contextlib.suppress(OSError):
            for path in missing:
                path.rmdir()


def require_unclaimed(folder: Path) -> None:
    """Check that no process holds `folder`.

    Raises:
        UserError: a process does; the message names it.
    """
    lock = _lock_of(folder / LOCK)
    if (folder / LOCK).exists():
        try:
            _require(folder, lock)
        except OSError as error:
            raise cannot_write(folder, error) from error
        lock.release()


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock on the file `path`; wait while another process holds it.

    The empty lock file is not deleted afterwards. The operating system releases the lock if its holder dies.
    On a file system without locks, the block runs unlocked.

    Raises:
        UserError: the file cannot be created.
    """
    lock = _lock_of(path)
    with contextlib.ExitStack() as stack:
        stack.callback(lock.release)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if not _acquired(lock):
                logging.warning("waiting for another process to release %s", path)
                lock.acquire()
        except OSError as error:
            raise cannot_write(path, error) from error
        yield


class Unlocked:
    """The lock of a file where filelock is not installed, as on a file system without locks."""

    is_locked = False

    def __init__(self, path: Path):
        """Refer to the file `path`, which is not created."""
        self.lock_file = str(path)

    def acquire(self, timeout: float = -1) -> None:
        """Raise, since there are no locks."""
        raise NotImplementedError("filelock is not installed")

    def release(self) -> None:
        """Do nothing."""


def _lock_of(path: Path) -> Any:
    """A lock on the file `path`, not held yet."""
    try:
        from filelock import FileLock
    except ModuleNotFoundError:  # a working tree on a bare machine, see docs/performance.md
        return Unlocked(path)
    # Not thread-local: an iterator that holds a folder may be continued and closed by different threads.
    return FileLock(path, thread_local=False)


def _claim(folder: Path, lock: Any) -> None:
    """Acquire the `lock` of `folder`, and write into its file which process holds it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _require(folder, lock)
        if lock.is_locked:
            text = f"process {os.getpid()} on {platform.node()}\n"
            (folder / HOLDER).write_text(text, encoding="utf-8")
    except OSError as error:
        raise cannot_write(folder, error) from error


def _require(folder: Path, lock: Any) -> None:
    """Acquire the `lock` of `folder`, or raise `UserError` with the name of the process that holds it."""
    if not _acquired(lock):
        raise UserError(f"--workdir: {folder} is in use by {_holder(folder / HOLDER)}")


def _release(folder: Path, lock: Any) -> None:
    """Remove the files of a held `lock`, and release it.

    The lock's own file goes first, while nobody else can hold it: removed later, it could be the one that
    another process has locked by then. Windows removes no open file, and so keeps it for that other process.
    """
    with contextlib.suppress(PermissionError):
        (folder / HOLDER).unlink(missing_ok=True)
    try:
        (folder / LOCK).unlink(missing_ok=True)
    except PermissionError:
        lock.release()
        with contextlib.suppress(OSError):
            (folder / LOCK).unlink()
    else:
        lock.release()


def _acquired(lock: Any) -> bool:
    """Acquire `lock`, or warn that the file system has no locks; return False if another process holds it."""
    try:
        lock.acquire(timeout=0)
    except (NotImplementedError, OSError) as error:
        if isinstance(error, TimeoutError) and error.errno is None:  # filelock's own
            return False
        if isinstance(error, OSError) and error.errno not in _NO_LOCKS:
            raise
        logging.warning("%s cannot be locked here; no other process should use its folder", lock.lock_file)
    return True


def _holder(file: Path) -> str:
    try:
        with open_regular(file) as opened:
            return opened.read(200).decode().strip() or "another process"
    except (OSError, UnicodeDecodeError):
        return "another process"
