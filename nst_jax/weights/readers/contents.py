"""What all readers share: their result, and how they refuse a file."""

import contextlib
import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from nst_jax.errors import UserError
from nst_jax.networks.trained import Preprocessing

Skip = Callable[[str], bool]  # whether to leave out the array of that name


@dataclasses.dataclass(frozen=True)
class Contents:
    """The arrays of a file, and its preprocessing and architecture if stated."""

    tensors: dict[str, np.ndarray]
    preprocessing: Preprocessing | None = None
    arch: str | None = None


@contextlib.contextmanager
def parsing(path: Path, what: str) -> Iterator[None]:
    """Turn any error in the block into a `UserError`: `path` is not a valid `what`.

    Parsers and the libraries behind them raise all kinds of errors on damaged or hostile data.
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        why = str(error) or type(error).__name__
        raise UserError(f"{path}: damaged or not a valid {what}: {why}") from error


def require_distinct(names: list[str]) -> None:
    """Raise `ValueError` if a name occurs twice: a reader would have to choose one of the arrays."""
    if len(set(names)) < len(names):
        raise ValueError(f"{next(name for name in names if names.count(name) > 1)!r} occurs twice")
