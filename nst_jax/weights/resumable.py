"""One file from one server: continued after cut connections, retried where that may help."""

import contextlib
import http.client
import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any

from tqdm import tqdm

from nst_jax.files import cannot_write

ATTEMPTS = 3  # in a row without a byte of progress
NETWORK_ERRORS = (OSError, http.client.HTTPException)
_CHUNK = 1 << 18


class WrongContentError(Exception):
    """What the server gives is not the file we want."""


def complete(url: str, part: Path, size: int, timeout: float, pause: float) -> None:
    """Bring the file `part` to `size` bytes, going on from those it has.

    `timeout`, in seconds, holds for the connection and for each wait for data; `pause` comes before
    the second attempt, twice as long before the third.

    Raises:
        WrongContentError: the server's file is longer, or another.
        OSError, http.client.HTTPException: the server cannot be reached, or refuses.
        UserError: `part` cannot be written.
    """
    failures = 0
    while (before := length(part)) < size:
        try:
            _transfer(url, part, size, timeout)
            return
        except NETWORK_ERRORS as error:
            progress = length(part) > before
            failures = 1 if progress else failures + 1
            if failures == ATTEMPTS or not (progress or _may_pass(error)):
                raise
        time.sleep(pause * 2 ** (failures - 1))


def length(path: Path) -> int:
    """Bytes in a file, 0 where there is none."""
    return path.stat().st_size if path.exists() else 0


def _may_pass(error: Exception) -> bool:
    """Whether asking the same server again is worth the wait."""
    if isinstance(error, urllib.error.HTTPError):
        return error.code >= 500 or error.code == HTTPStatus.TOO_MANY_REQUESTS
    # No such host, refused, or silent: the next mirror is the better bet.
    return not isinstance(error, urllib.error.URLError | TimeoutError)


def _transfer(url: str, part: Path, size: int, timeout: float) -> None:
    """One connection's worth: append what the server sends."""
    offset = length(part)
    with _open(url, offset, timeout) as response:
        if not _continues(response, offset, size):
            offset = 0
        with _writer(part, "ab" if offset else "wb") as write, _bar(part, offset, size) as bar:
            while chunk := response.read(_CHUNK):
                offset += len(chunk)
                if offset > size:
                    raise WrongContentError(f"more than the {size} bytes expected")
                write(chunk)
                bar.update(len(chunk))
        if offset < size:
            _explain_end(response, offset, size)


def _explain_end(response: Any, received: int, size: int) -> None:
    """Raise for the cause of a short file: it is another one, or the connection was cut."""
    whole = response.headers.get("Content-Range", "").rpartition("/")[2]
    announced = whole or response.headers.get("Content-Length") or size
    if str(announced).isdecimal() and int(announced) == received:
        raise WrongContentError(f"{received} bytes instead of {size}")
    raise ConnectionError(f"cut off after {received} of {size} bytes")


@contextlib.contextmanager
def _open(url: str, offset: int, timeout: float) -> Iterator[Any]:
    request = urllib.request.Request(url, headers={"User-Agent": "nst_jax"})
    if offset:
        request.add_header("Range", f"bytes={offset}-")
    try:
        # A fresh opener, since the shared one would keep the proxies of the first call.
        with urllib.request.build_opener().open(request, timeout=timeout) as response:
            yield response
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            raise WrongContentError("a file shorter than the part at hand") from error
        raise


def _continues(response: Any, offset: int, size: int) -> bool:
    """Whether the server goes on where we stopped; else it starts anew."""
    if response.status != HTTPStatus.PARTIAL_CONTENT:
        return False
    given = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", ""))
    if given is None or int(given[1]) != offset or given[2] not in (str(size), "*"):
        raise WrongContentError("another range than the one asked for")
    return True


@contextlib.contextmanager
def _writer(part: Path, mode: str) -> Iterator[Callable[[bytes], None]]:
    """The file's `write`, a full disk told apart from a failing network."""
    try:
        file = part.open(mode)
    except OSError as error:
        raise cannot_write(part, error) from error

    def write(chunk: bytes) -> None:
        try:
            file.write(chunk)
            file.flush()
        except OSError as error:
            raise cannot_write(part, error) from error

    with file:
        yield write


def _bar(part: Path, offset: int, size: int) -> tqdm:
    """A progress bar, drawn on terminals only."""
    return tqdm(desc=part.stem, initial=offset, total=size, unit="B", unit_scale=True, disable=None)
