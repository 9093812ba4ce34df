"""What a reader hands on: arrays under the file's own names, and what the file says of itself."""

import dataclasses
from collections.abc import Callable

import numpy as np

from nst_jax.networks.trained import Preprocessing

Skip = Callable[[str], bool]  # whether the array of that name is of no interest


@dataclasses.dataclass(frozen=True)
class Contents:
    """A file's arrays; preprocessing and arch where the file states them."""

    tensors: dict[str, np.ndarray]
    preprocessing: Preprocessing | None = None
    arch: str | None = None
