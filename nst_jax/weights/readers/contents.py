"""The result of a reader: arrays under their names in the file, and what the file states about itself."""

import dataclasses
from collections.abc import Callable

import numpy as np

from nst_jax.networks.trained import Preprocessing

Skip = Callable[[str], bool]  # whether to leave out the array of that name


@dataclasses.dataclass(frozen=True)
class Contents:
    """The arrays of a file, and its preprocessing and architecture if stated."""

    tensors: dict[str, np.ndarray]
    preprocessing: Preprocessing | None = None
    arch: str | None = None
