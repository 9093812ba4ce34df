"""NumPy's files: .npz archives of named arrays, and vgg19.npy, a pickled dictionary that is not unpickled."""

import mmap
import zipfile
from pathlib import Path

import numpy as np

from nst_jax.errors import UserError
from nst_jax.weights.readers.contents import Contents, Skip, flattened, parsing, require_distinct
from nst_jax.weights.readers.numpy_objects import PickledArray
from nst_jax.weights.readers.pickled import describe

MAGIC = b"\x93NUMPY"
_SUFFIX = ".npy"
_MAX_BYTES = 1 << 30  # vgg19.npy, classifier included, has 575 MB


def is_npz(names: list[str]) -> bool:
    """Whether a zip file with these members is an .npz archive."""
    return bool(names) and all(name.endswith(_SUFFIX) for name in names)


def read_npz(path: Path, skip: Skip) -> Contents:
    """Read every array of an archive except those to `skip`."""
    tensors = {}
    with parsing(path, ".npz archive"), zipfile.ZipFile(path) as archive:
        require_distinct(archive.namelist())
        wanted = [i for i in archive.infolist() if not skip(i.filename.removesuffix(_SUFFIX))]
        if sum(member.file_size for member in wanted) > _MAX_BYTES:
            raise ValueError(f"its arrays have more than {_MAX_BYTES} bytes")
        for member in wanted:
            with archive.open(member) as file:
                array = np.lib.format.read_array(file, allow_pickle=False)
            tensors[member.filename.removesuffix(_SUFFIX)] = array
    return Contents(tensors)


def read_npy(path: Path, skip: Skip) -> Contents:
    """Read a dictionary of layers, each a list or a dictionary of arrays: `conv1_1/0`, `conv1_1/weights`."""
    with parsing(path, "NumPy file"), path.open("rb") as file:
        version = np.lib.format.read_magic(file)
        read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else None
        _, _, dtype = (read_header or np.lib.format.read_array_header_2_0)(file)
        if not dtype.hasobject:
            raise UserError(
                f"{path}: one array without names; a network needs a dictionary of layers, or .npz"
            )
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            if len(content) > _MAX_BYTES:
                raise ValueError(f"it has more than {_MAX_BYTES} bytes")
            content.seek(file.tell())
            value, _ = describe(content, str(path))
            if not isinstance(value, PickledArray):
                raise ValueError("it holds no dictionary of layers")
            arrays = flattened(value.single_object(), "/", PickledArray)
            arrays = {name: array for name, array in arrays.items() if not skip(name)}
            # One string may stand for many arrays, each of which would copy it.
            if sum(len(array.data) for array in arrays.values()) > len(content):
                raise ValueError("its arrays share their numbers")
        return Contents({name: array.numbers() for name, array in arrays.items()})
