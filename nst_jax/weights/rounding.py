"""How coarsely the numbers of a network were rounded, seen from the numbers themselves.

A converted file keeps its rounding, so nothing has to record how the numbers were once stored.
"""

from collections.abc import Iterable

import numpy as np

_COARSEST_FIRST = ("8-bit", "bfloat16", "float16", "float32")
_VALUES = 256  # of a kernel that was stored in 8 bits
_PROBE = 4096  # numbers that show quickly that a kernel has more values than that


def rounding(kernels: Iterable[np.ndarray]) -> str:
    """ "8-bit", "bfloat16", "float16" or "float32": the finest of the roundings of `kernels`.

    A kernel in 8 bits has at most 256 different values.
    """
    return max(map(_rounding, kernels), key=_COARSEST_FIRST.index)


def _rounding(kernel: np.ndarray) -> str:
    numbers = np.ascontiguousarray(kernel, np.float32).reshape(-1)
    if len(np.unique(numbers[:_PROBE])) <= _VALUES < len(numbers) and len(np.unique(numbers)) <= _VALUES:
        return "8-bit"
    if not (numbers.view(np.uint32) & 0xFFFF).any():  # bfloat16 is the upper half of float32
        return "bfloat16"
    # What float16 cannot hold becomes infinite, and differs.
    with np.errstate(over="ignore"):
        return "float16" if (numbers.astype(np.float16) == numbers).all() else "float32"
