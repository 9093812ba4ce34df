"""A reader of MATLAB 5 files: numbers, text, cells and structs.

It follows "MAT-File Format" by The MathWorks. scipy.io.loadmat crashes the interpreter on some damaged files,
and loads the 500 MB of a classifier into memory, which this reader skips.
"""

import math
import struct
import zlib
from collections.abc import Container
from pathlib import Path
from typing import IO, Any

import numpy as np

MAGIC = b"MATLAB 5.0 MAT-file"
_HEADER_BYTES = 128
_CHUNK = 1 << 18  # read at a time, so that a false length claims no memory
_MAX_TOTAL_BYTES = 1 << 30  # a small compressed file can claim any number of arrays
_MAX_ITEMS = 10_000  # of a cell or struct; far above what MatConvNet writes
_MAX_DEPTH = 12  # of cells in cells; each level is a call

_MATRIX, _COMPRESSED = 14, 15
_STORED = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
_ENCODINGS = {1: "latin-1", 2: "latin-1", 4: "utf-16-le", 16: "utf-8", 17: "utf-16-le"}
_CELL, _STRUCT, _CHAR = 1, 2, 4
_NUMBERS = {6: "f8", 7: "f4", 8: "i1", 9: "u1", 10: "i2", 11: "u2", 12: "i4", 13: "u4"}
_COMPLEX = 0x0800


def read_variables(path: Path, wanted: Container[str], largest: int) -> dict[str, Any]:
    """Read the `wanted` variables of a file.

    A numeric array is returned as an array, text as str, a cell as a list, and a struct array as a list of
    dictionaries; both lists are in column-major order. Anything else is None, and so are arrays of more than
    `largest` bytes at 8 per number.

    Raises:
        ValueError, struct.error, zlib.error, LookupError: the file is damaged.
    """
    variables = {}
    with path.open("rb") as file:
        header = file.read(_HEADER_BYTES)
        if header[-2:] != b"IM":
            raise ValueError("not little-endian")
        while tag := file.read(8):
            kind, length = struct.unpack("<II", tag)
            end = file.tell() + length
            stream = _Stream(file, largest)
            if kind == _COMPRESSED:
                stream = _Inflated(file, largest)
                kind, length = struct.unpack("<II", stream.read(8))
            if kind == _MATRIX:
                name, value = _matrix(stream, length, wanted, 0)
                if name in wanted:
                    variables[name] = value
            file.seek(end)
    return variables


class _Stream:
    """Reads an exact number of bytes, and keeps count."""

    def __init__(self, file: IO[bytes], largest: int) -> None:
        self.file = file
        self.largest = largest
        self.position = 0
        self.held = 0

    def read(self, count: int) -> bytes:
        """The next `count` bytes; raises ValueError if the file ends before."""
        pieces = []
        while count and (piece := self._some(min(count, _CHUNK))):
            pieces.append(piece)
            count -= len(piece)
            self.position += len(piece)
        if count:
            raise ValueError("unexpected end of file")
        return b"".join(pieces)

    def skip_to(self, position: int) -> None:
        """Skip bytes without keeping them in memory."""
        if position < self.position:
            raise ValueError("an element extends beyond its parent")
        while self.position < position:
            self.read(min(position - self.position, _CHUNK))

    def _some(self, limit: int) -> bytes:
        return self.file.read(limit)


class _Inflated(_Stream):
    """The same for a compressed element."""

    def __init__(self, file: IO[bytes], largest: int) -> None:
        super().__init__(file, largest)
        self._inflater = zlib.decompressobj()

    def _some(self, limit: int) -> bytes:
        piece = b""
        while not piece and not self._inflater.eof:
            compressed = self._inflater.unconsumed_tail or self.file.read(_CHUNK)
            if not compressed:
                break
            piece = self._inflater.decompress(compressed, limit)
        return piece


def _matrix(stream: _Stream, length: int, wanted: Container[str], depth: int) -> tuple[str, Any]:
    """Read the next matrix element, and move the stream to its end; returns (name, value)."""
    if length == 0:
        return "", None
    if depth > _MAX_DEPTH:
        raise ValueError("nested too deeply")
    end = stream.position + length
    flags = int(_numbers(stream)[0])
    shape = tuple(int(size) for size in _numbers(stream))
    name = _text(stream)
    # Inner matrices have no names: everything inside a wanted variable is read.
    value = _value(stream, flags, shape, depth) if depth or name in wanted else None
    stream.skip_to(end)
    return name, value


def _value(stream: _Stream, flags: int, shape: tuple[int, ...], depth: int) -> Any:
    kind, count = flags & 0xFF, math.prod(shape)
    if kind in (_CELL, _STRUCT) and not 0 <= count <= _MAX_ITEMS:
        raise ValueError(f"a cell or struct has the invalid shape {shape}")
    if kind == _CELL:
        return [_inner(stream, depth) for _ in range(count)]
    if kind == _STRUCT:
        fields = _field_names(stream)
        # A struct without fields takes no bytes, so its count may be false.
        return [{field: _inner(stream, depth) for field in fields} for _ in range(count if fields else 0)]
    if kind == _CHAR:
        return _text(stream)
    if kind in _NUMBERS and not flags & _COMPLEX and 8 * count <= stream.largest:
        return _numbers(stream).astype(_NUMBERS[kind]).reshape(shape, order="F")
    return None


def _inner(stream: _Stream, depth: int) -> Any:
    kind, length = struct.unpack("<II", stream.read(8))
    if kind != _MATRIX:
        raise ValueError(f"an element has type {kind}, but a matrix is expected")
    return _matrix(stream, length, (), depth + 1)[1]


def _field_names(stream: _Stream) -> list[str]:
    """Names are stored in slots of the same width, padded with zeros."""
    width = int(_numbers(stream)[0])
    packed = _element(stream)[1]
    slots = (packed[start : start + width] for start in range(0, len(packed), max(width, 1)))
    return [slot.partition(b"\0")[0].decode("latin-1") for slot in slots]


def _numbers(stream: _Stream) -> np.ndarray:
    kind, data = _element(stream)
    return np.frombuffer(data, f"<{_STORED[kind]}")


def _text(stream: _Stream) -> str:
    kind, data = _element(stream)
    return data.decode(_ENCODINGS[kind])


def _element(stream: _Stream) -> tuple[int, bytes]:
    """Read the next plain element; returns (type, data). Data of up to four bytes is inside the tag."""
    tag = stream.read(8)
    kind, length = struct.unpack("<II", tag)
    # A small element holds its length in the upper half of its type.
    if small := kind >> 16:
        return kind & 0xFFFF, tag[4 : 4 + small]
    stream.held += length
    if length > stream.largest or stream.held > _MAX_TOTAL_BYTES:
        raise ValueError(f"an element has {length} bytes, {stream.held} in total: above the limit")
    data = stream.read(length)
    stream.skip_to(stream.position + -length % 8)  # elements are padded to multiples of 8 bytes
    return kind, data
