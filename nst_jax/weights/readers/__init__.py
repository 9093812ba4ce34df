"""Readers of the supported formats; the first bytes of a file, not its name, determine the format."""

import zipfile
from collections.abc import Callable
from pathlib import Path

from nst_jax.errors import UserError
from nst_jax.files import open_regular
from nst_jax.weights.readers import (
    flax_msgpack,
    keras_h5,
    matconvnet,
    matlab,
    numpy_file,
    safetensors_file,
    tfjs,
    torch_file,
)
from nst_jax.weights.readers.contents import Contents, Skip
from nst_jax.weights.readers.refusals import complaint

__all__ = ["Contents", "Skip", "read"]

_HEAD = 512  # bytes: the mark of a tar archive is at byte 257


def read(path: Path, skip: Skip) -> Contents:
    """Read the arrays of a weight file under their names in the file, except those to `skip`.

    Raises:
        UserError: the format is unknown, or the file is damaged or malicious.
        OSError: the file cannot be opened, or is not a regular file.
    """
    if path.is_dir():
        return tfjs.read(tfjs.manifest_of(path), skip)
    with open_regular(path) as file:
        head = file.read(_HEAD)
    if head.startswith(torch_file.ZIP_MAGIC):
        return _reader_of_zip(path)(path, skip)
    if head.startswith(keras_h5.MAGIC):
        return keras_h5.read(path, skip)
    if head.startswith(torch_file.LEGACY_MAGIC):
        return torch_file.read(path, skip)
    if head.startswith(matlab.MAGIC):
        return matconvnet.read(path, skip)
    if head.startswith(numpy_file.MAGIC) and len(head) > len(numpy_file.MAGIC):
        return numpy_file.read_npy(path, skip)
    if safetensors_file.is_safetensors(head):
        return safetensors_file.read(path, skip)
    if flax_msgpack.is_msgpack(head):
        return flax_msgpack.read(path, skip)
    if head.lstrip()[:1] in (b"{", b"["):
        return tfjs.read(path, skip)
    raise UserError(f"{path}: {complaint(path, head)}")


def _reader_of_zip(path: Path) -> Callable[[Path, Skip], Contents]:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return torch_file.read  # which refuses it
    if keras_h5.ARCHIVED in names:
        return keras_h5.read_archived
    return numpy_file.read_npz if numpy_file.is_npz(names) else torch_file.read
