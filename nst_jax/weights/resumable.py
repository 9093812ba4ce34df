"""Resumable download of one file from one server, with retries."""

import base64
import contextlib
import http.client
import math
import re
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any

from tqdm import tqdm

from nst_jax.files import cannot_write
from nst_jax.weights.pace import Pace

# Of `timeout`, for the first data from a server: its host may have two addresses, each with its own timeout.
GRACE = 2.5
ATTEMPTS = 3  # consecutive attempts without a byte of progress
NETWORK_ERRORS = (OSError, http.client.HTTPException)
_CHUNK = 1 << 18  # bytes: few calls, and a bar that moves


class WrongContentError(Exception):
    """The server's file is not the expected one."""


def complete(url: str, part: Path, size: int | None, timeout: float, pause: float) -> None:
    """Download the rest of the file `part`, until it has `size` bytes, or as many as the server states.

    `timeout`, in seconds, applies to connecting and to each wait for data; all attempts together must keep a
    `Pace`. `pause`, in seconds, is the wait before the second attempt; it doubles before the third.

    Raises:
        WrongContentError: the server's file is longer, or a different one.
        OSError, http.client.HTTPException: the server cannot be reached, is too slow, or refuses the request.
        ValueError: the address, or one that the server redirects to, is malformed.
        UserError: `part` cannot be written.
    """
    failures, pace, begun = 0, Pace(GRACE * timeout), length(part)
    while (before := length(part)) < (size or math.inf):
        try:
            _transfer(url, part, size, timeout, pace)
            return
        except NETWORK_ERRORS as error:
            progress = length(part) > before
            failures = 1 if progress else failures + 1
            if failures == ATTEMPTS or not (length(part) > begun or _is_transient(error)):
                raise
        time.sleep(pause * 2 ** (failures - 1))


def without_credentials(url: str) -> tuple[str, str]:
    """Split an address into itself without `user:password@`, and `user:password`, which may be empty."""
    scheme, separator, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    credentials, _, host = host.rpartition("@")
    return scheme + separator + host + slash + path, credentials


def length(path: Path) -> int:
    """The size of a file in bytes; 0 if it does not exist."""
    return path.stat().st_size if path.exists() else 0


def _is_transient(error: Exception) -> bool:
    """Whether a retry on the same server is worth the wait."""
    if isinstance(error, urllib.error.HTTPError):
        # The server's own trouble may pass; that a file is not there will not.
        return error.code >= 500 or error.code == HTTPStatus.TOO_MANY_REQUESTS
    # Unknown host, connection refused or timeout: the next mirror is more likely to work.
    return not isinstance(error, urllib.error.URLError | TimeoutError)


def _transfer(url: str, part: Path, size: int | None, timeout: float, pace: Pace) -> None:
    """Append what the server sends over one connection."""
    received = pace.limited(_received(url, length(part), size, timeout))
    offset, _ = next(received)
    shown = {"desc": part.stem, "initial": offset, "total": size, "unit": "B", "unit_scale": True}
    with _writer(part, "ab" if offset else "wb") as write, tqdm(**shown, disable=None) as bar:
        for _, chunk in received:
            write(chunk)
            bar.update(len(chunk))
            pace.received(len(chunk))


def _received(url: str, offset: int, size: int | None, timeout: float) -> Iterator[tuple[int, bytes]]:
    """Yield where the response starts, at `offset` or 0, then what arrives: pairs of a position and bytes."""
    with _open(url, offset, timeout) as response:
        size = size or _stated_size(response)
        if not _continues(response, offset, size):
            offset = 0
        yield offset, b""
        while chunk := response.read1(_CHUNK):
            if offset + len(chunk) > size:
                raise WrongContentError(f"more than the {size} bytes expected")
            yield offset, chunk
            offset += len(chunk)
        if offset < size:
            if _stated_size(response, size) == offset:  # it is a different file
                raise WrongContentError(f"{offset} bytes instead of {size}")
            raise ConnectionError(f"connection lost after {offset} of {size} bytes")


def _stated_size(response: Any, otherwise: int | None = None) -> int:
    """The size of the whole file in the response's headers.

    Raises:
        WrongContentError: they do not state it, and there is no size to use `otherwise`.
    """
    whole = response.headers.get("Content-Range", "").rpartition("/")[2]
    stated = str(whole or response.headers.get("Content-Length") or otherwise)
    if stated.isdecimal():
        return int(stated)
    if otherwise is None:
        raise WrongContentError("the server does not state the size of the file")
    return otherwise


@contextlib.contextmanager
def _open(url: str, offset: int, timeout: float) -> Iterator[Any]:
    address, credentials = without_credentials(url)
    request = urllib.request.Request(address, headers={"User-Agent": "nst_jax"})
    if credentials:
        encoded = base64.b64encode(urllib.parse.unquote(credentials).encode()).decode()
        # Not forwarded by redirects: other servers must not see it.
        request.add_unredirected_header("Authorization", f"Basic {encoded}")
    if offset:
        request.add_header("Range", f"bytes={offset}-")
    try:
        # A new opener each time, because the shared one keeps the proxy settings of the first call.
        opener = urllib.request.build_opener(_Redirects)
        with opener.open(request, timeout=timeout) as response:
            yield response
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            raise WrongContentError("the file is shorter than the partial download") from error
        raise


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects; it also closes the response of one to a malformed address."""

    def http_error_302(
        self,
        req: urllib.request.Request,
        fp: Any,
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
    ) -> Any:
        try:
            return super().http_error_302(req, fp, code, msg, headers)
        except ValueError:
            fp.close()
            raise

    http_error_301 = http_error_303 = http_error_307 = http_error_308 = http_error_302


def _continues(response: Any, offset: int, size: int) -> bool:
    """Whether the response continues at `offset`; otherwise it starts from the beginning."""
    if response.status != HTTPStatus.PARTIAL_CONTENT:
        return False
    given = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", ""))
    if given is None or int(given[1]) != offset or given[2] not in (str(size), "*"):
        raise WrongContentError("a different range than requested")
    return True


@contextlib.contextmanager
def _writer(part: Path, mode: str) -> Iterator[Callable[[bytes], None]]:
    """Yield the file's `write`; its errors are `UserError`, to distinguish them from network errors."""
    try:
        file = part.open(mode)
    except OSError as error:
        raise cannot_write(part, error) from error

    def write(chunk: bytes) -> None:
        try:
            file.write(chunk)
            # What has arrived counts for the next attempt, whatever ends this one.
            file.flush()
        except OSError as error:
            raise cannot_write(part, error) from error

    with file:
        yield write
