"""Keras weights in HDF5: the path of a dataset contains the layer's name, however groups are nested."""

import zipfile
from io import BytesIO
from pathlib import Path

import h5py
import numpy as np

from nst_jax.errors import UserError
from nst_jax.weights.readers.contents import Contents, Skip, parsing

MAGIC = b"\x89HDF\r\n\x1a\n"
ARCHIVED = "model.weights.h5"  # the weights in a .keras archive
_MAX_BYTES = 1 << 30  # full VGG-19 takes 575 MB; a small compressed file can claim any size


def read(path: Path, skip: Skip) -> Contents:
    """Read every dataset except those to `skip`, by its path in the file."""
    with parsing(path, "HDF5 file"), h5py.File(path, "r") as file:
        return Contents(_datasets(path, file, skip))


def read_archived(path: Path, skip: Skip) -> Contents:
    """Read the HDF5 file in a .keras archive; its model is not built, so it may contain any layers."""
    with parsing(path, ".keras archive"):
        with zipfile.ZipFile(path) as archive, archive.open(ARCHIVED) as member:
            data = member.read(_MAX_BYTES + 1)
        if len(data) > _MAX_BYTES:
            raise ValueError(f"{ARCHIVED} has more than {_MAX_BYTES} bytes")
        with h5py.File(BytesIO(data), "r") as file:
            return Contents(_datasets(path, file, skip))


def _datasets(path: Path, file: h5py.File, skip: Skip) -> dict[str, np.ndarray]:
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

    backends = [group.attrs.get("backend") for group in (file, file.get("model_weights", file))]
    if any(backend in ("theano", b"theano") for backend in backends):
        raise UserError(
            f"{path}: written with Theano, whose filters are flipped; use the file for TensorFlow, "
            "..._tf_dim_ordering_tf_kernels_notop.h5"
        )
    file.visititems(visit)
    return tensors
