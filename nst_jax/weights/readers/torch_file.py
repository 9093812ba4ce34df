"""PyTorch checkpoints, read without PyTorch: the zip format, and the legacy one from before PyTorch 1.6.

Both contain a pickle that describes tensors, and separately their numbers. The numbers are memory-mapped, not
read, so a classifier of 500 MB that is not needed costs nothing.
"""

import struct
import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from nst_jax.errors import UserError
from nst_jax.weights.readers.clustered import decoded
from nst_jax.weights.readers.contents import Contents, Skip, flattened, parsing, require_distinct
from nst_jax.weights.readers.pickled import MAX_BYTES, describe
from nst_jax.weights.readers.torch_objects import Place, Tensor, view

ZIP_MAGIC = b"PK\x03\x04"
LEGACY_MAGIC = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."  # the pickle of 0x1950a86a20f9469cfc6c
_LEGACY_PROTOCOL = 1001  # the only one that PyTorch has written
_ZIP_HEADER = struct.Struct("<26xHH")  # it ends with the lengths of the name and the extra field


def read(path: Path, skip: Skip) -> Contents:
    """Read the tensors of a state dict, or of a checkpoint that contains one, except those to `skip`."""
    with path.open("rb") as file:
        is_zip = file.read(len(ZIP_MAGIC)) == ZIP_MAGIC
    with parsing(path, "PyTorch zip file" if is_zip else "PyTorch file"):
        value, places = (_read_zip if is_zip else _read_legacy)(path)
        content = np.memmap(path, np.uint8, "r")
        tensors = {
            name: view(content, places, tensor)
            for name, tensor in _state_dict(path, value).items()
            if not skip(name)
        }
        return Contents(decoded(path, tensors))


def _state_dict(path: Path, value: Any) -> dict[str, Tensor]:
    """All tensors of a checkpoint, however deep in its dictionaries."""
    tensors = flattened(value, ".", Tensor) if isinstance(value, dict) else {}
    if not tensors:
        raise UserError(f"{path}: contains no state dict: a dictionary of tensors")
    return tensors


def _read_zip(path: Path) -> tuple[Any, dict[str, Place]]:
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        require_distinct(names)
        root = next((n[: -len("data.pkl")] for n in names if n.endswith("/data.pkl")), None)
        if root is None or archive.getinfo(f"{root}data.pkl").file_size > MAX_BYTES:
            raise UserError(f"{path}: a zip file, but not a PyTorch checkpoint, nor .keras or .npz")
        if any(name.endswith("/constants.pkl") or "/code/" in name for name in names):
            raise UserError(
                f"{path}: a TorchScript archive, which is a program; in PyTorch, "
                "torch.save(torch.jit.load(FILE).state_dict(), NEW_FILE) saves its weights alone"
            )
        if f"{root}byteorder" in names:
            with archive.open(f"{root}byteorder") as file:
                _require_little_endian(path, file.read(len(b"little")) == b"little")
        value, _ = describe(BytesIO(archive.read(f"{root}data.pkl")), str(path))
        return value, _zip_places(path, archive, f"{root}data/")


def _zip_places(path: Path, archive: zipfile.ZipFile, folder: str) -> dict[str, Place]:
    places = {}
    with path.open("rb") as file:
        for member in archive.infolist():
            if not member.filename.startswith(folder):
                continue
            if member.compress_type != zipfile.ZIP_STORED:
                raise UserError(f"{path}: {member.filename} is compressed; PyTorch never compresses")
            file.seek(member.header_offset)
            header = file.read(_ZIP_HEADER.size).ljust(_ZIP_HEADER.size, b"\0")
            start = member.header_offset + _ZIP_HEADER.size + sum(_ZIP_HEADER.unpack(header))
            key = member.filename.removeprefix(folder)
            places[key] = Place(start, member.file_size, member.CRC)
    return places


def _read_legacy(path: Path) -> tuple[Any, dict[str, Place]]:
    """Five pickles (magic, version, system, the object, the storages' keys), then the storages."""
    with path.open("rb") as file:
        head = BytesIO(file.read(MAX_BYTES))
        pickles = [describe(head, str(path)) for _ in range(5)]
        (_, version, system, value, keys), (*_, storages, _) = zip(*pickles, strict=True)
        if version != _LEGACY_PROTOCOL or not isinstance(system, dict):
            raise UserError(f"{path}: not a supported legacy PyTorch file")
        _require_little_endian(path, system.get("little_endian") is True)
        file.seek(head.tell())
        places = {}
        for key in keys if isinstance(keys, list) else ():
            storage = storages.get(key) if isinstance(key, str) else None
            if storage is None or int.from_bytes(file.read(8), "little") != storage.count:
                raise UserError(f"{path}: a damaged PyTorch file: its storages do not match its index")
            places[key] = Place(file.tell(), storage.nbytes)
            file.seek(min(file.tell() + storage.nbytes, path.stat().st_size))
    return value, places


def _require_little_endian(path: Path, little: bool) -> None:
    if not little:
        raise UserError(f"{path}: saved on a big-endian machine, which is not supported")
