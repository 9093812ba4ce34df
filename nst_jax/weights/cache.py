"""Downloaded networks, kept converted and verified in the per-user cache."""

import dataclasses
from pathlib import Path

from absl import logging

from nst_jax.errors import UserError
from nst_jax.files import cache_dir, locked, write_bytes
from nst_jax.networks.trained import Weights
from nst_jax.weights.download import download, file_digest
from nst_jax.weights.loading import load
from nst_jax.weights.readers.safetensors_file import save
from nst_jax.weights.registry import Entry, mirrors

TIMEOUT = 30.0  # seconds, for the connection and for each wait for data


def path_of(entry: Entry) -> Path:
    """Where the converted file lies, or would."""
    return cache_dir() / "weights" / f"{entry.name}.safetensors"


def cached(entry: Entry, warn: bool = True) -> Weights | None:
    """The network from the cache; None where it is absent, or with a warning, damaged."""
    path, record = path_of(entry), _record(entry)
    if not path.exists():
        return None
    try:
        if record.read_text().split()[:1] != [file_digest(path)]:
            raise UserError("its sha256 is not the recorded one")
        return dataclasses.replace(load(path, entry.arch), name=entry.title)
    except (OSError, UnicodeDecodeError, UserError) as error:
        if warn:
            logging.warning("%s cannot be used, fetching it anew: %s", path, error)
        return None


def obtain(entry: Entry, timeout: float = TIMEOUT) -> Weights:
    """Download the network into the cache, unless another process is found to have done so.

    Raises:
        UserError: no mirror gives it, or the cache cannot be written.
    """
    with locked(path_of(entry).with_suffix(".lock")):
        return cached(entry, warn=False) or _fetch(entry, timeout)


def _fetch(entry: Entry, timeout: float) -> Weights:
    raw = path_of(entry).with_name(entry.file_name)
    download(mirrors(entry), raw, entry.size, entry.digest, timeout)
    try:
        weights = dataclasses.replace(load(raw, entry.arch), name=entry.title)
        save(path_of(entry), weights, entry.title)
        digest = file_digest(path_of(entry))
        write_bytes(_record(entry), f"{digest}  {path_of(entry).name}\n".encode())
    finally:
        raw.unlink(missing_ok=True)
    return weights


def _record(entry: Entry) -> Path:
    """The digest of the cached file, as `sha256sum --check` reads it."""
    return path_of(entry).with_name(f"{entry.name}.safetensors.sha256")
