"""Checkpoints, from which a run resumes bit for bit."""

import contextlib
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import safetensors
from safetensors.numpy import save_file

from nst_jax import files
from nst_jax.errors import UserError


class Checkpoint(NamedTuple):
    """The progress of a run: the optimiser's state, the scale it is at, and the time spent so far."""

    leaves: list[np.ndarray]  # of the optimiser's state, in pytree order
    scale: int  # index into config.scales
    seconds: float


def save_checkpoint(path: Path, checkpoint: Checkpoint, identity: str) -> None:
    """Write `checkpoint` to `path` atomically; `identity` is a digest of the run's inputs.

    Raises:
        UserError: the file cannot be written.
    """
    arrays = {f"{i:04d}": leaf for i, leaf in enumerate(checkpoint.leaves)}
    metadata = {"scale": str(checkpoint.scale), "seconds": repr(checkpoint.seconds), "identity": identity}
    with files.atomic(path) as temporary:
        # Written without an intermediate copy: the state of a large picture may not fit into memory twice.
        try:
            save_file(arrays, temporary, metadata=metadata)
        except safetensors.SafetensorError as error:
            raise OSError(str(error)) from error


def load_checkpoint(path: Path, identity: str) -> Checkpoint | None:
    """Return the saved checkpoint, or None if there is none.

    Raises:
        UserError: the checkpoint is damaged or was saved with other inputs.
    """
    metadata = checkpoint_metadata(path, identity)
    if metadata is None:
        return None
    with _opened(path) as file:
        leaves = [file.get_tensor(key) for key in sorted(file.keys())]
    return Checkpoint(leaves, int(metadata["scale"]), float(metadata["seconds"]))


def checkpoint_metadata(path: Path, identity: str) -> dict[str, str] | None:
    """Return everything in a saved checkpoint except its arrays, or None if there is none.

    Raises:
        UserError: the checkpoint is damaged or was saved with other inputs.
    """
    if not path.exists():
        return None
    with _opened(path) as file:
        metadata = file.metadata()
    if metadata["identity"] != identity:
        raise UserError(f"{path}: the pictures or weights have changed since the run began")
    return metadata


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[Any]:
    try:
        with safetensors.safe_open(path, "numpy") as file:
            yield file
    except (safetensors.SafetensorError, OSError) as error:
        raise UserError(f"{path}: cannot be read: {error}") from error


def picture_digest(*pictures: np.ndarray) -> str:
    """Return the sha256 of the shapes and bytes of `pictures`."""
    digest = hashlib.sha256()
    for picture in pictures:
        digest.update(str(picture.shape).encode())
        digest.update(np.ascontiguousarray(picture).data)
    return digest.hexdigest()
