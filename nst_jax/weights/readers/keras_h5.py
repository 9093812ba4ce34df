"""Keras weights in HDF5: the path of a dataset contains the layer's name, however groups are nested."""

from pathlib import Path

import h5py
import numpy as np

from nst_jax.errors import UserError
from nst_jax.weights.readers.contents import Contents, Skip, parsing

MAGIC = b"\x89HDF\r\n\x1a\n"
_MAX_BYTES = 1 << 30  # full VGG-19 takes 575 MB; a small compressed file can claim any size


def read(path: Path, skip: Skip) -> Contents:
    """Read every dataset except those to `skip`, by its path in the file."""
    tensors: dict[str, np.ndarray] = {}

    def visit(name: str, item: h5py.Dataset | h5py.Group) -> None:
        if isinstance(item, h5py.Dataset) and not skip(name):
            if item.external or item.is_virtual:
                raise UserError(f"{path}: refused: the numbers of {name!r} are in another file")
            held = sum(array.nbytes for array in tensors.values())
            if item.nbytes + held > _MAX_BYTES:
                raise ValueError(f"with {name} it has {item.nbytes + held} bytes, above {_MAX_BYTES}")
            if item.shape:  # scalars are counters of an optimiser
                tensors[name] = np.asarray(item)

    with parsing(path, "HDF5 file"), h5py.File(path, "r") as file:
        file.visititems(visit)
    return Contents(tensors)
