"""PyTorch's tensors and their storages, as a pickle describes them."""

import dataclasses

import numpy as np


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
