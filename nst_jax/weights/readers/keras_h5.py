"""Keras weights in HDF5: however its groups nest, a dataset's path holds the layer's name."""

from pathlib import Path

import h5py
import numpy as np

from nst_jax.errors import UserError
from nst_jax.weights.readers.contents import Contents, Skip

MAGIC = b"\x89HDF\r\n\x1a\n"
_MAX_BYTES = 1 << 30  # the whole of VGG-19 has 575 MB; compression can hide any claim


def read(path: Path, skip: Skip) -> Contents:
    """Every dataset but those to `skip`, by its path in the file."""
    tensors: dict[str, np.ndarray] = {}

    def visit(name: str, item: h5py.Dataset | h5py.Group) -> None:
        if isinstance(item, h5py.Dataset) and not skip(name):
            held = sum(array.nbytes for array in tensors.values())
            if item.nbytes + held > _MAX_BYTES:
                raise ValueError(f"with {name} it claims {item.nbytes + held} bytes")
            if item.shape:  # scalars are counters of the optimiser's
                tensors[name] = np.asarray(item)

    try:
        with h5py.File(path, "r") as file:
            file.visititems(visit)
    except (OSError, KeyError, RuntimeError, TypeError, ValueError) as error:
        raise UserError(f"{path}: not a whole HDF5 file: {error}") from error
    return Contents(tensors)
