"""Atomic writes, reads that cannot block, and the per-user cache folder."""

import contextlib
import errno
import json
import os
import stat
import tempfile
import time
from collections.abc import Iterator, Mapping
from io import BufferedReader
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs
from safetensors import SafetensorError
from safetensors.numpy import save_file

from nst_jax.errors import UserError

ON_WINDOWS = os.name == "nt"
PATIENCE = 1.0  # seconds


def cache_dir() -> Path:
    """The per-user cache folder: `NST_JAX_CACHE` if set, else the platform's default."""
    return Path(os.environ.get("NST_JAX_CACHE") or platformdirs.user_cache_dir("nst_jax"))


def is_writable(folder: Path) -> bool:
    """Whether files can be written in `folder`, which is created if it does not exist."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"?")  # on a full disk, only this fails
        return True
    except OSError:
        return False


@contextlib.contextmanager
def atomic(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path next to `path`; it is renamed to `path` on success and deleted on error.

    The data is flushed to disk before the rename, so a crash leaves either the old file or the new one.

    Raises:
        UserError: `path` is a folder or a device, its folder cannot be written to, or the disk is full.
    """
    target = Path(path)
    temporary: Path | None = None
    try:
        if target.exists() and not target.is_file():
            raise OSError(errno.EINVAL, "it is not a regular file")
        target.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name[:32]}.", suffix=".part")
        os.close(descriptor)
        temporary = Path(name)
        yield temporary
        flush(temporary)
        temporary.chmod(0o666 & ~_umask())  # mkstemp gives access to the owner only
        _replace(temporary, target)
        flush(target.parent)  # the rename itself
    except (OSError, SafetensorError) as error:
        raise cannot_write(target, error) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def _replace(temporary: Path, target: Path) -> None:
    """Rename a file; on Windows, wait a second for whoever is reading `target`, such as the preview."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            temporary.replace(target)
            return
        except PermissionError:
            if not ON_WINDOWS or time.monotonic() > end:
                raise
            time.sleep(PATIENCE / 20)


def write_bytes(path: str | os.PathLike[str], data: bytes) -> None:
    """Write `data` to `path` atomically."""
    with atomic(path) as temporary:
        temporary.write_bytes(data)


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write `text` to `path` as UTF-8, atomically; file names in it that are not Unicode are escaped."""
    write_bytes(path, text.encode(errors="backslashreplace"))


def write_json(path: str | os.PathLike[str], values: Any) -> None:
    """Write `values`, indented, to `path` atomically."""
    write_text(path, json.dumps(values, indent=2) + "\n")


def write_safetensors(
    path: str | os.PathLike[str], arrays: Mapping[str, np.ndarray], metadata: Mapping[str, str]
) -> None:
    """Write a safetensors file atomically, without an intermediate copy of `arrays`."""
    with atomic(path) as temporary:
        save_file(dict(arrays), temporary, metadata=dict(metadata))


def open_regular(path: str | os.PathLike[str]) -> BufferedReader:
    """Open a file for reading. Unlike `open`, this does not block on a named pipe.

    Raises:
        OSError: the file is missing, cannot be opened, or is not a regular file.
    """
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode):
        return os.fdopen(descriptor, "rb")
    os.close(descriptor)
    why = "it is a folder" if stat.S_ISDIR(mode) else "it is not a regular file"
    raise OSError(errno.EINVAL, why, os.fspath(path))


def flush(path: Path) -> None:
    """Wait until a file, or the entries of a folder, are on disk."""
    if ON_WINDOWS and path.is_dir():
        return  # folders cannot be opened there
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def cannot_write(path: str | os.PathLike[str], error: Exception) -> UserError:
    """The `UserError` for a failed write, with the file and the cause."""
    return UserError(f"cannot write {path}: {getattr(error, 'strerror', None) or error}")


def _umask() -> int:
    mask = os.umask(0)  # the umask can only be read by setting it
    os.umask(mask)
    return mask
