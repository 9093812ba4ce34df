"""What a run needs to go on where it stopped, bit for bit."""

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
    """Where a run stands: the optimiser's state at a scale, and the time spent so far."""

    leaves: list[np.ndarray]  # of the optimiser's state, in pytree order
    scale: int  # index into config.scales
    seconds: float


def save_checkpoint(path: Path, checkpoint: Checkpoint, identity: str) -> None:
    """Replace the file; `identity` tells which inputs it belongs to.

    Raises:
        UserError: it cannot be written.
    """
    arrays = {f"{i:04d}": leaf for i, leaf in enumerate(checkpoint.leaves)}
    about = {"scale": str(checkpoint.scale), "seconds": repr(checkpoint.seconds), "identity": identity}
    with files.atomic(path) as temporary:
        # Straight from the arrays to the file: there is no room for a copy of a large picture's state.
        try:
            save_file(arrays, temporary, metadata=about)
        except safetensors.SafetensorError as error:
            raise OSError(str(error)) from error


def load_checkpoint(path: Path, identity: str) -> Checkpoint | None:
    """The saved checkpoint, or None if there is none.

    Raises:
        UserError: it is damaged, or belongs to other inputs.
    """
    about = checkpoint_facts(path, identity)
    if about is None:
        return None
    with _opened(path) as file:
        leaves = [file.get_tensor(key) for key in sorted(file.keys())]
    return Checkpoint(leaves, int(about["scale"]), float(about["seconds"]))


def checkpoint_facts(path: Path, identity: str) -> dict[str, str] | None:
    """What is known of a saved checkpoint besides its arrays, or None if there is none.

    Raises:
        UserError: it is damaged, or belongs to other inputs.
    """
    if not path.exists():
        return None
    with _opened(path) as file:
        about = file.metadata()
    if about["identity"] != identity:
        raise UserError(f"{path}: the pictures or weights are not those that the run began with")
    return about


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[Any]:
    try:
        with safetensors.safe_open(path, "numpy") as file:
            yield file
    except (safetensors.SafetensorError, OSError) as error:
        raise UserError(f"{path}: cannot be read: {error}") from error


def picture_digest(*pictures: np.ndarray) -> str:
    """Sha256 of the shapes and bytes of `pictures`."""
    total = hashlib.sha256()
    for picture in pictures:
        total.update(str(picture.shape).encode())
        total.update(np.ascontiguousarray(picture).data)
    return total.hexdigest()
