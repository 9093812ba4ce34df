"""NumPy's arrays and types in a pickle, rebuilt from their bytes without a call of anything in the pickle."""

import math
from typing import Any

import numpy as np

_PLAIN_NUMBERS = "biuf"  # kinds of dtypes
_OBJECTS = ("O", "O4", "O8")
_MOST_DIMENSIONS = 8  # a kernel has four


class PickledType:
    """A dtype of plain numbers, or of objects."""

    def __init__(self, code: Any, *_: Any) -> None:
        """Check the type's code, such as "f4"."""
        self.code = str(code)
        self.big_endian = False
        if not self.holds_objects and np.dtype(self.code).kind not in _PLAIN_NUMBERS:
            raise ValueError(f"an array of type {self.code!r:.60}")

    def set_state(self, state: tuple) -> None:
        """Take the byte order from what `dtype.__reduce__` gives."""
        self.big_endian = state[1] == ">"

    @property
    def holds_objects(self) -> bool:
        """Whether the elements are Python objects."""
        return self.code in _OBJECTS

    def dtype(self) -> np.dtype:
        """NumPy's type of the numbers."""
        return np.dtype(self.code).newbyteorder(">" if self.big_endian else "<")


class PickledArray:
    """An array that a pickle first creates empty, and then fills."""

    def __init__(self, *_: Any) -> None:
        """Ignore the arguments: they describe the empty array."""
        self.shape: Any = None
        self.kind: Any = None
        self.is_fortran: Any = False
        self.data: Any = b""

    def set_state(self, state: tuple) -> None:
        """Take the elements from what `ndarray.__reduce__` gives."""
        self.shape, self.kind, self.is_fortran, self.data = state[-4:]

    def single_object(self) -> Any:
        """The element of an array that holds one object, as `numpy.save` writes a dictionary."""
        if self.kind.holds_objects and isinstance(self.data, list) and len(self.data) == 1:
            return self.data[0]
        raise ValueError("it holds no dictionary of layers")

    def numbers(self) -> np.ndarray:
        """The array, if its elements are numbers.

        Raises:
            ValueError, AttributeError, TypeError: they are not, or their count does not fit the shape.
        """
        # Python 2 wrote bytes as text.
        raw = self.data.encode("latin-1") if isinstance(self.data, str) else bytes(self.data)
        if not all(type(size) is int and size >= 0 for size in self.shape):
            raise ValueError(f"an array of shape {self.shape!r:.60}")
        flat = np.frombuffer(raw, self.kind.dtype())
        if len(self.shape) > _MOST_DIMENSIONS or flat.size != math.prod(self.shape):
            raise ValueError(f"an array of shape {self.shape!r:.60} with {flat.size} numbers")
        return flat.reshape(self.shape, order="F" if self.is_fortran else "C")


def _from_buffer(data: Any, kind: Any, shape: Any, order: Any = "C") -> PickledArray:
    """An array as pickle protocol 5 stores it."""
    array = PickledArray()
    array.set_state((shape, kind, order == "F", data))
    return array


def _encoded(text: str, encoding: str) -> bytes:
    """Bytes as Python 3 writes them in pickle protocol 2."""
    if encoding not in ("latin1", "latin-1"):
        raise ValueError(f"bytes encoded by {encoding!r:.60}")
    return text.encode("latin-1")


# A scalar, such as the accuracy that a checkpoint records, is read as nothing.
FUNCTIONS: dict[str, Any] = {
    f"numpy.{core}.{name}": function
    for core in ("core", "_core")
    for name, function in {
        "multiarray._reconstruct": PickledArray,
        "multiarray.scalar": lambda *_: None,
        "numeric._frombuffer": _from_buffer,
    }.items()
} | {"numpy.dtype": PickledType, "numpy.ndarray": PickledArray, "_codecs.encode": _encoded}
