"""Changing fields of a config by their dotted names."""

import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from nst_jax.errors import UserError


def override(base: Any, changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return `base`, a ConfigDict or nested dict, as a nested dict with `changes` made.

    A change has a dotted name such as `network.pool`; a dict as its value replaces the whole field.

    Raises:
        UserError: a name leads into a field that has no subfields.
    """
    values = plain(base)
    for name, value in changes.items():
        *parents, last = name.split(".")
        inner = values
        for parent in parents:
            inner = inner.setdefault(parent, {})
            if not isinstance(inner, dict):
                raise UserError(f"config field {name}: {parent} has no subfields")
        inner[last] = plain(value)
    return values


def plain(value: Any) -> Any:
    """Return `value` as JSON can hold it: ConfigDicts as dicts, paths as text, scalars as plain ones."""
    if hasattr(value, "items"):
        return {str(name): plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return (list if isinstance(value, list) else tuple)(map(plain, value))
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    return value.item() if isinstance(value, np.generic) else value
