"""Conversion of a ConfigDict to a typed dataclass, and the checks for its `__post_init__`."""

import contextlib
import dataclasses
import math
import types
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar, cast, get_args, get_origin, get_type_hints

from nst_jax.errors import UserError, unknown

Fields = TypeVar("Fields")


def from_config(kind: type[Fields], values: Any) -> Fields:
    """Build a `kind` from a ConfigDict or nested dict, with strict types; missing fields take their defaults.

    Raises:
        UserError: a field is unknown, has the wrong type, or has a value that the dataclass rejects.
    """
    if not hasattr(values, "items"):
        raise UserError(f"config: get_config() must return a ConfigDict, not {type(values).__name__}")
    return _build(kind, dict(values.items()), prefix="")


def _build(kind: type[Fields], values: Mapping[str, Any], prefix: str) -> Fields:
    hints = get_type_hints(kind)
    for name in values:
        if name not in hints:
            raise unknown(f"config field {prefix}{name}", name, hints)
    return kind(**{name: _typed(hints[name], value, prefix + name) for name, value in values.items()})


def _typed(hint: Any, value: Any, name: str) -> Any:
    """Check `value` against the type `hint`; ints are accepted as floats, and lists as tuples."""
    origin, parameters = get_origin(hint), get_args(hint)
    if origin is types.UnionType:
        return _typed_as_any(parameters, value, name)
    if dataclasses.is_dataclass(hint) and hasattr(value, "items"):
        return _build(cast(type, hint), dict(value.items()), f"{name}.")
    if origin is dict and hasattr(value, "items"):
        return {layer: _typed(parameters[1], weight, f"{name}.{layer}") for layer, weight in value.items()}
    if origin is tuple and isinstance(value, (tuple, list)):
        if parameters[0] is str:
            value = _split(value)
        return tuple(_typed(parameters[0], item, name) for item in value)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(hint, type) and not isinstance(hint, types.GenericAlias) and type(value) is hint:
        return value
    expected = hint.__name__ if isinstance(hint, type) and origin is None else str(hint)
    raise UserError(f"config field {name}: expected {expected}, got {value!r}")


def _typed_as_any(hints: tuple[Any, ...], value: Any, name: str) -> Any:
    """Check `value` against each of the type `hints`, and return it as the first that fits."""
    for hint in hints:
        with contextlib.suppress(UserError):
            return _typed(hint, value, name)
    expected = " or ".join(hint.__name__ if get_origin(hint) is None else str(hint) for hint in hints)
    raise UserError(f"config field {name}: expected {expected}, got {value!r}")


def _split(items: Iterable[Any]) -> list[Any]:
    """Split items such as "a,b": the command line gives a list as one string."""
    return [part for item in items for part in (item.split(",") if isinstance(item, str) else [item])]


def one_of(field: str, value: str, choices: Iterable[str]) -> None:
    """Raise `UserError` unless `value` is among `choices`."""
    if value not in choices:
        raise unknown(field, value, choices)


def not_empty(field: str, value: str) -> None:
    """Raise `UserError` if `value` is the empty string."""
    if not value:
        raise UserError(f"{field}: is empty; give a path, or a name such as sample:astronaut")


def at_least(field: str, value: int, least: int) -> None:
    """Raise `UserError` if `value` is below `least`."""
    if value < least:
        raise UserError(f"{field}: {value} is below {least}")


def positive(field: str, value: float) -> None:
    """Raise `UserError` unless `value` is finite and above 0."""
    if not (math.isfinite(value) and value > 0):
        raise UserError(f"{field}: {value} is not a finite number above 0")


def not_negative(field: str, value: float) -> None:
    """Raise `UserError` unless `value` is finite and at least 0."""
    if not (math.isfinite(value) and value >= 0):
        raise UserError(f"{field}: {value} is not a finite number >= 0")
