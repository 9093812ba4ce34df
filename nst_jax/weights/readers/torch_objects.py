"""PyTorch's tensors and their storages: as a pickle describes them, and as views of a file's bytes.

Every number of a description is checked before it is used.
"""

import dataclasses
import math
import zlib
from collections.abc import Mapping

import numpy as np

_MAX_DIMENSIONS = 8  # a kernel has four


@dataclasses.dataclass(frozen=True)
class Storage:
    """An array of `count` numbers, stored outside the pickle under `key`."""

    dtype: str
    key: str
    count: int

    @property
    def numpy_dtype(self) -> np.dtype:
        """The dtype in the file; uint16 for bfloat16, which NumPy does not have."""
        return np.dtype("uint16" if self.dtype == "bfloat16" else self.dtype)

    @property
    def nbytes(self) -> int:
        """The size in the file, in bytes."""
        return self.count * self.numpy_dtype.itemsize


@dataclasses.dataclass(frozen=True)
class Tensor:
    """A strided view of a storage; offset and strides are in elements, and not yet checked."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


STORAGE_DTYPES = {
    "torch.FloatStorage": "float32",
    "torch.DoubleStorage": "float64",
    "torch.HalfStorage": "float16",
    "torch.BFloat16Storage": "bfloat16",
    # Counters and masks: accepted here, but rejected as weights by the strict checks.
    "torch.LongStorage": "int64",
    "torch.IntStorage": "int32",
    "torch.ShortStorage": "int16",
    "torch.CharStorage": "int8",
    "torch.ByteStorage": "uint8",
    "torch.BoolStorage": "bool",
}


@dataclasses.dataclass(frozen=True)
class Place:
    """The position of a storage in a file, and its checksum if the format has one."""

    start: int
    length: int
    crc32: int | None = None


def view(content: np.ndarray, places: Mapping[str, Place], tensor: Tensor) -> np.ndarray:
    """The array that `tensor` describes: a view of `content` (uint8), except for bfloat16.

    Raises:
        ValueError, TypeError, LookupError: it extends beyond its storage, or the file is damaged.
    """
    numbers = _storage(content, places, tensor.storage)
    offset, shape, strides = _geometry(tensor, len(numbers))
    array = np.lib.stride_tricks.as_strided(
        numbers[offset:],
        shape,
        [stride * numbers.itemsize for stride in strides],
        # The file is mapped, and several tensors may share a storage.
        writeable=False,
    )
    if tensor.storage.dtype != "bfloat16":
        return array
    return (array.astype(np.uint32) << 16).view(np.float32)  # bfloat16 is the upper half of float32


def _storage(content: np.ndarray, places: Mapping[str, Place], storage: Storage) -> np.ndarray:
    place = places[storage.key]
    data = content[place.start : place.start + place.length]
    if storage.count < 0 or storage.nbytes > len(data):
        raise ValueError(f"storage {storage.key!r} of {storage.nbytes} bytes is truncated")
    if place.crc32 is not None and zlib.crc32(data.data) != place.crc32:
        raise ValueError(f"the checksum of storage {storage.key!r} does not match")
    return data[: storage.nbytes].view(storage.numpy_dtype)


def _geometry(tensor: Tensor, count: int) -> tuple[int, tuple[int, ...], tuple[int, ...]]:
    """Offset, shape and strides in elements, checked to stay within `count` elements."""
    offset, shape, strides = tensor.offset, tensor.shape, tensor.strides
    numbers = (offset, *shape, *strides)
    if not all(type(number) is int and number >= 0 for number in numbers):
        raise ValueError(f"tensor of shape {shape!r:.60}: sizes and strides must be 0 or more")
    if len(shape) != len(strides) or len(shape) > _MAX_DIMENSIONS:
        raise ValueError("a tensor whose shape and strides do not match")
    last = offset + sum((size - 1) * stride for size, stride in zip(shape, strides, strict=True))
    # The second condition refuses overlapping views, by which a few bytes could claim gigabytes.
    if math.prod(shape) and (last >= count or math.prod(shape) > count):
        raise ValueError(f"tensor of shape {shape!r:.60} extends beyond its storage of {count}")
    return (offset if math.prod(shape) else 0), shape, strides
