"""Arrays and text in one file with a digest, so that damage is noticed: safetensors with metadata."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open

from nst_jax.errors import UserError
from nst_jax.files import open_regular, write_safetensors

DIGEST = "sha256"  # the metadata that holds the digest of everything else


def write_archive(path: Path, arrays: Mapping[str, np.ndarray], metadata: Mapping[str, str]) -> None:
    """Write `arrays` and `metadata` atomically, with their digest.

    Raises:
        UserError: the file cannot be written.
    """
    write_safetensors(path, arrays, {**metadata, DIGEST: archive_digest(arrays, metadata)})


def read_archive(path: Path) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Return the arrays and the metadata of a file that `write_archive` wrote.

    Raises:
        UserError: the file is missing, damaged, or of another kind.
    """
    try:
        open_regular(path).close()  # refuses a named pipe, on which `safe_open` would block
        with safe_open(path, "numpy") as file:
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            metadata = file.metadata() or {}
    except (SafetensorError, OSError, TypeError, ValueError) as error:
        raise UserError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from error
    if metadata.pop(DIGEST, None) != archive_digest(arrays, metadata):
        raise UserError(f"{path}: is damaged, or was written by another version: its digest does not match")
    return arrays, metadata


def read_metadata(path: Path) -> dict[str, str]:
    """Return the metadata alone, without a check of the digest; empty if the file cannot be read."""
    try:
        open_regular(path).close()  # as in `read_archive`
        with safe_open(path, "numpy") as file:
            return file.metadata() or {}
    except (SafetensorError, OSError, TypeError, ValueError):
        return {}


def archive_digest(arrays: Mapping[str, np.ndarray], metadata: Mapping[str, str]) -> str:
    """SHA-256 of the metadata, and of the name, dtype, shape and bytes of each array."""
    digest = hashlib.sha256(repr(sorted(metadata.items())).encode())
    for name in sorted(arrays):
        # Their bytes in C order, whatever their strides are.
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name} {array.dtype} {arrays[name].shape}".encode())
        digest.update(array.data)
    return digest.hexdigest()
