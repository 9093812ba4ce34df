"""Atomic writes, locks between processes, and the per-user cache folder."""

import contextlib
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import platformdirs
from absl import logging

from nst_jax.errors import UserError


def cache_dir() -> Path:
    """The per-user cache folder: `NST_JAX_CACHE` if set, else the platform's default."""
    return Path(os.environ.get("NST_JAX_CACHE") or platformdirs.user_cache_dir("nst_jax"))


@contextlib.contextmanager
def atomic(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path next to `path`; it is renamed to `path` on success and deleted on error.

    The data is flushed to disk before the rename, so a crash leaves either the old file or the new one.

    Raises:
        UserError: the folder cannot be created or written to, or the disk is full.
    """
    target = Path(path)
    temporary: Path | None = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".part")
        os.close(descriptor)
        temporary = Path(name)
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.chmod(0o666 & ~_umask())  # mkstemp gives access to the owner only
        temporary.replace(target)
    except OSError as error:
        raise cannot_write(target, error) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def write_bytes(path: str | os.PathLike[str], data: bytes) -> None:
    """Write `data` to `path` atomically."""
    with atomic(path) as temporary:
        temporary.write_bytes(data)


def write_json(path: str | os.PathLike[str], values: Any) -> None:
    """Write `values`, indented, to `path` atomically."""
    write_bytes(path, (json.dumps(values, indent=2) + "\n").encode())


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock on the file `path`; wait while another process holds it.

    The empty lock file is not deleted afterwards. The operating system releases the lock if its holder dies.
    On a file system without locks, the block runs unlocked.

    Raises:
        UserError: the file cannot be created.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(path)
    with contextlib.ExitStack() as stack:
        stack.callback(lock.release)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                lock.acquire(timeout=0)
            except Timeout:
                logging.warning("waiting for another process to release %s", path)
                lock.acquire()
        except NotImplementedError:
            pass  # no locks on this file system; two processes at once are unlikely
        except OSError as error:
            raise cannot_write(path, error) from error
        yield


def cannot_write(path: str | os.PathLike[str], error: OSError) -> UserError:
    """The `UserError` for a failed write, with the file and the cause."""
    return UserError(f"cannot write {path}: {error.strerror or error}")


def _umask() -> int:
    mask = os.umask(0)  # the umask can only be read by setting it
    os.umask(mask)
    return mask
