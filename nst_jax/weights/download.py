"""Downloads from the first mirror that has the right file; only a verified file gets the final name."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from nst_jax.errors import UserError, abridged, one_line
from nst_jax.weights.resumable import (
    NETWORK_ERRORS,
    WrongContentError,
    complete,
    length,
    without_credentials,
)

PAUSE = 0.5  # seconds
_SCHEMES = ("http", "https", "file")


class DownloadError(UserError):
    """No mirror provided the file; the message gives the reason for each mirror."""


def download(
    urls: Sequence[str],
    target: Path,
    size: int | None,
    digest: str,
    timeout: float,
    pause: float = PAUSE,
) -> None:
    """Download `target` from the first of `urls` that provides `size` bytes with this `digest`.

    A `size` of None stands for the one that the server states.

    An earlier partial download in `<target>.part` is continued. `digest` is "sha256:..." or "md5:...", in
    full or a prefix. Callers must ensure that only one process does this at a time.

    Raises:
        DownloadError: no mirror provided the file.
        UserError: the disk is full or not writable.
    """
    part = target.with_name(f"{target.name}.part")
    reasons = []
    for url in urls:
        try:
            _obtain(url, part, size, digest, timeout, pause)
            part.replace(target)
            return
        except UserError:
            raise
        except (*NETWORK_ERRORS, ValueError, WrongContentError) as error:
            reasons.append(f"{_host(url)}: {_reason(error)}")
    raise DownloadError(f"{target.name} could not be downloaded ({'; '.join(reasons)})")


def file_digest(path: Path, algorithm: str = "sha256") -> str:
    """The hexadecimal digest of a file's bytes."""
    with path.open("rb") as file:
        # Keras publishes MD5 only. It identifies a known file, not for security, so FIPS may allow it.
        state = hashlib.file_digest(file, lambda: hashlib.new(algorithm, usedforsecurity=False))
    return state.hexdigest()


def _obtain(url: str, part: Path, size: int | None, digest: str, timeout: float, pause: float) -> None:
    """Complete and verify `part`; if an earlier partial download makes it wrong, start over once."""
    if url.partition("://")[0] not in _SCHEMES:
        raise WrongContentError(f"unsupported URL; choices: {', '.join(_SCHEMES)}")
    resumed = length(part) > 0
    try:
        complete(url, part, size, timeout, pause)
        _verify(part, size, digest)
    except WrongContentError:
        part.unlink(missing_ok=True)
        if not resumed:
            raise
        _obtain(url, part, size, digest, timeout, pause)


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
