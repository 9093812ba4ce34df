"""Reading TFRecord files at random, without TensorFlow.

A record is its length as 8 bytes, little-endian, 4 bytes of checksum, its bytes, and 4 more of checksum.
"""

import os
import struct
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from nst_jax.errors import UserError
from nst_jax.files import open_regular

_HEAD, _TAIL = 12, 4


class TFRecords:
    """The records of a split, by number; each is read and decoded when it is asked for."""

    def __init__(self, instructions: Iterable[Any], decode: Callable[[bytes], Any]):
        """Find the records that TFDS's file `instructions` name: some of each file.

        Raises:
            UserError: a file cannot be read, or ends within a record.
        """
        self._decode = decode
        self._places: list[tuple[str, int, int]] = []
        for part in instructions:
            places = list(_places(part.filename))[part.skip :]
            self._places += places[: part.take] if part.take >= 0 else places

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, number: int) -> Any:
        path, start, length = self._places[number]
        with open_regular(path) as file:
            file.seek(start)
            return self._decode(file.read(length))


def _places(path: str) -> Iterator[tuple[str, int, int]]:
    """Yield the file, the first byte and the length of every record in it."""
    try:
        with open_regular(path) as file:
            size, start = os.fstat(file.fileno()).st_size, 0
            while start < size:
                file.seek(start)
                head = file.read(_HEAD)
                # A head that is cut off claims the whole file, which the next check refuses.
                length = struct.unpack_from("<Q", head)[0] if len(head) == _HEAD else size
                start += _HEAD
                if start + length + _TAIL > size:
                    raise UserError(f"data: {Path(path).name} ends within a record; it is damaged")
                yield path, start, length
                start += length + _TAIL
    except OSError as error:
        raise UserError(f"data: cannot read {path}: {error.strerror or error}") from error
