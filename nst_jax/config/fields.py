"""From a ConfigDict to a typed dataclass, and the checks that such dataclasses make of themselves."""

import dataclasses
import math
import types
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar, cast, get_args, get_origin, get_type_hints

from nst_jax.errors import UserError, unknown

Fields = TypeVar("Fields")


def from_config(kind: type[Fields], values: Any) -> Fields:
    """A `kind` from a ConfigDict or a plain nested dict, strictly typed; missing fields have their defaults.

    Raises:
        UserError: unknown fields, wrong types, and values that the dataclass refuses.
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
    """`value` as the declared type; an int is accepted as a float, a list as a tuple."""
    origin, parameters = get_origin(hint), get_args(hint)
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


def _split(items: Iterable[Any]) -> list[Any]:
    """Split "a,b", which the command line gives as one string."""
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
        raise UserError(f"{field}: {value} is not a finite number of at least 0")
