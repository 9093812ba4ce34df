"""Tensors as views of a file's bytes, after a check of every number in their descriptions."""

import dataclasses
import math
import zlib
from collections.abc import Mapping

import numpy as np

from nst_jax.weights.readers.torch_objects import Storage, Tensor

_MAX_DIMENSIONS = 8


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
