"""What all readers share: their result, and how they refuse a file."""

import contextlib
import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from nst_jax.errors import UserError
from nst_jax.networks.trained import Preprocessing

Leaf = TypeVar("Leaf")
Skip = Callable[[str], bool]  # whether to leave out the array of that name


@dataclasses.dataclass(frozen=True)
class Contents:
    """The arrays of a file, and its preprocessing and architecture if stated.

    `usual` is the preprocessing of most files of the format, in case it is neither stated nor recognised.
    """

    tensors: dict[str, np.ndarray]
    preprocessing: Preprocessing | None = None
    arch: str | None = None
    usual: Preprocessing | None = None


def flattened(value: Any, separator: str, kind: type[Leaf]) -> dict[str, Leaf]:
    """The leaves of `kind` in nested dictionaries and lists, by their path; anything else is left out.

    A container inside itself or in two places is visited once.

    Raises:
        ValueError: two leaves have the same path.
    """
    leaves: dict[str, Leaf] = {}
    visited: set[int] = set()
    waiting: list[tuple[str, Any]] = [("", value)]
    while waiting:
        path, item = waiting.pop()
        if isinstance(item, kind):
            if path in leaves:
                raise ValueError(f"{path!r} occurs twice")
            leaves[path] = item
        elif isinstance(item, (dict, list)) and id(item) not in visited:
            visited.add(id(item))
            pairs = list(item.items() if isinstance(item, dict) else enumerate(item))
            # Reversed, because the last one waiting comes first.
            waiting += [(f"{path}{separator}{key}" if path else str(key), each) for key, each in pairs[::-1]]
    return leaves


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
