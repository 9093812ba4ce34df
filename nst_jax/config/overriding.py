"""Changing fields of a config by their dotted names."""

from collections.abc import Mapping
from typing import Any

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
    """Copy `value` with dicts in place of ConfigDicts, which would otherwise be shared between runs."""
    return {k: plain(v) for k, v in value.items()} if hasattr(value, "items") else value
