"""Checkpoints, from which a run resumes bit for bit."""

import hashlib
import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from nst_jax.devices import processes
from nst_jax.errors import UserError
from nst_jax.storage.archives import read_archive, read_metadata, write_archive


class Checkpoint(NamedTuple):
    """The progress of a run: the optimiser's state, the stage it is at, and the time spent so far."""

    leaves: list[np.ndarray]  # of the optimiser's state, in pytree order
    stage: int  # its number, see nst_jax.config.stages
    seconds: float


def broadcast_checkpoint(read: Checkpoint | None) -> Checkpoint | None:
    """Return the checkpoint that the first process has `read`; the others have read none."""
    if processes.alone():
        return read
    arrays = processes.broadcast_arrays(read and [np.array(read.stage), np.array(read.seconds), *read.leaves])
    return Checkpoint(arrays[2:], int(arrays[0]), float(arrays[1])) if arrays else None


def save_checkpoint(path: Path, checkpoint: Checkpoint, identity: str, settings: dict[str, Any]) -> None:
    """Write `checkpoint` to `path` atomically, with what it belongs to.

    `identity` is a digest of the pictures and the weights, `settings` are every field of the config.

    Raises:
        UserError: the file cannot be written.
    """
    # Zeros in front keep the order of the leaves when names are sorted.
    arrays = {f"{i:04d}": leaf for i, leaf in enumerate(checkpoint.leaves)}
    metadata = {
        "stage": str(checkpoint.stage),
        "seconds": repr(checkpoint.seconds),
        "identity": identity,
        "settings": json.dumps(settings),
    }
    write_archive(path, arrays, metadata)


def load_checkpoint(path: Path) -> tuple[Checkpoint, str, dict[str, Any]] | None:
    """Return the saved checkpoint with its identity and settings, or None if there is none.

    Raises:
        UserError: the file is damaged, or is not a checkpoint of this version.
    """
    if not path.exists():
        return None
    try:
        arrays, metadata = read_archive(path)
        leaves = [arrays[name] for name in sorted(arrays)]
        stage = metadata["stage"] if "stage" in metadata else metadata["scale"]  # its former name
        checkpoint = Checkpoint(leaves, int(stage), float(metadata["seconds"]))
        return checkpoint, metadata["identity"], json.loads(metadata["settings"])
    except UserError as error:
        raise UserError(f"{error}; delete it to start the run again") from error
    except (KeyError, ValueError) as error:
        raise UserError(
            f"{path}: is not the checkpoint of a run; delete it to start the run again"
        ) from error


def input_digests(path: Path) -> set[str]:
    """Return the words of the identity in a checkpoint's metadata; empty if it cannot be read.

    Among them is the digest of the network, which has to be known before the checkpoint can be checked.
    """
    return set(read_metadata(path).get("identity", "").split())


def picture_digest(*pictures: np.ndarray) -> str:
    """Return the sha256 of the shapes and bytes of `pictures`."""
    digest = hashlib.sha256()
    for picture in pictures:
        digest.update(str(picture.shape).encode())
        digest.update(np.ascontiguousarray(picture).data)
    return digest.hexdigest()
