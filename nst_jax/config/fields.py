"""Conversion of a ConfigDict to a typed dataclass, and the checks for its `__post_init__`."""

import contextlib
import dataclasses
import types
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar, cast, get_args, get_origin, get_type_hints

import numpy as np
from ml_collections.config_dict import RequiredValueError

from nst_jax.errors import UserError, unknown

MOST_BITS = 1024  # of an integer that can be shown in a message
LARGEST_INT = 2**31 - 1  # programs count in int32
LARGEST_SEED = 2**32 - 1  # JAX ignores the bits above
LARGEST_FLOAT, SMALLEST_FLOAT = float(np.finfo(np.float32).max), float(np.finfo(np.float32).tiny)
Fields = TypeVar("Fields")


def from_config(kind: type[Fields], values: Any) -> Fields:
    """Build a `kind` from a ConfigDict or nested dict, with strict types; missing fields take their defaults.

    Raises:
        UserError: a field is unknown, has the wrong type, or has a value that the dataclass rejects.
    """
    if not hasattr(values, "items"):
        raise UserError(f"config: get_config() must return a ConfigDict, not {type(values).__name__}")
    try:
        return _build(kind, values, prefix="")
    except _LackingError as error:
        path, section = error.args
        name = path.rpartition(".")[2]
        elsewhere = [other for other in paths(kind) if other.rpartition(".")[2] == name]
        value = path if elsewhere else name
        reason = unknown(f"config field {path}", value, get_type_hints(section), *elsewhere[:1])
        raise UnknownFieldError(reason.message, reason.tail) from None


class UnknownFieldError(UserError):
    """A config has a field that its command does not know."""


class _LackingError(Exception):
    """Its arguments are the dotted name of a field, and the dataclass that lacks it."""


def paths(kind: type, prefix: str = "") -> Iterator[str]:
    """Yield the dotted name of every field of a dataclass and of those in it, such as `network.pool`."""
    for name, hint in get_type_hints(kind).items():
        yield prefix + name
        if dataclasses.is_dataclass(hint):
            yield from paths(cast(type, hint), f"{prefix}{name}.")


def hint_of(kind: type, path: str) -> Any:
    """Return the type of the field with the dotted name `path` in a dataclass; None if there is none."""
    hint: Any = kind
    for name in path.split("."):
        parameters = get_args(hint)
        fields = get_type_hints(hint) if dataclasses.is_dataclass(hint) else {}
        hint = parameters[1] if get_origin(hint) is dict else fields.get(name)
    return hint


def _build(kind: type[Fields], values: Any, prefix: str) -> Fields:
    hints = get_type_hints(kind)
    given = _items(values, prefix)
    for name in given:
        if name not in hints:
            raise _LackingError(prefix + name, kind)
    for field in dataclasses.fields(cast(Any, kind)):
        required = field.default is field.default_factory is dataclasses.MISSING
        if required and field.name not in given:
            raise UserError(f"config field {prefix}{field.name}: is missing; it has no default")
    return kind(**{name: _typed(hints[name], value, prefix + name) for name, value in given.items()})


def _items(values: Any, prefix: str) -> dict[str, Any]:
    """The items of a ConfigDict or dict, of which none may be a placeholder without a value."""
    items = {}
    for name in values:
        try:
            items[str(name)] = values[name]
        except RequiredValueError as error:
            raise UserError(
                f"config field {prefix}{name}: is a placeholder without a value; set --config.{prefix}{name}"
            ) from error
    return items


def _typed(hint: Any, value: Any, name: str) -> Any:
    """Check `value` against the type `hint`; ints are accepted as floats, and lists as tuples."""
    origin, parameters = get_origin(hint), get_args(hint)
    if type(value) is int and value.bit_length() > MOST_BITS:
        raise UserError(f"config field {name}: an integer of {value.bit_length()} bits is too large")
    if origin is types.UnionType:
        return _typed_as_any(parameters, value, name)
    if dataclasses.is_dataclass(hint) and hasattr(value, "items"):
        return _build(cast(type, hint), value, f"{name}.")
    if origin is dict and hasattr(value, "items"):
        entries = _items(value, f"{name}.")
        return {layer: _typed(parameters[1], weight, f"{name}.{layer}") for layer, weight in entries.items()}
    if origin is tuple and isinstance(value, (tuple, list)):
        if parameters[0] is str:  # the command line gives a list as one string, "a,b"
            parts = (item.split(",") if isinstance(item, str) else [item] for item in value)
            value = [part for several in parts for part in several]
        return tuple(_typed(parameters[0], item, name) for item in value)
    # Not `isinstance`: a bool is an int as well, and no number here.
    if hint is float and type(value) is int and abs(value) < LARGEST_FLOAT:
        return float(value)
    if isinstance(hint, type) and not isinstance(hint, types.GenericAlias) and type(value) is hint:
        return value
    expected = hint.__name__ if isinstance(hint, type) and origin is None else str(hint)
    raise UserError(f"config field {name}: expected {expected}, got {value!r}")


def _typed_as_any(hints: tuple[Any, ...], value: Any, name: str) -> Any:
    """Check `value` against each of the type `hints`, and return it as the first that fits."""
    for hint in hints:
        # The message about all the types follows, if none fits.
        with contextlib.suppress(UserError):
            return _typed(hint, value, name)
    expected = " or ".join(hint.__name__ if get_origin(hint) is None else str(hint) for hint in hints)
    raise UserError(f"config field {name}: expected {expected}, got {value!r}")


def dotted(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return every value of a nested dict by its dotted name, such as `network.pool`."""
    flat: dict[str, Any] = {}
    for name, value in values.items():
        flat |= dotted(value, f"{prefix}{name}.") if isinstance(value, Mapping) else {prefix + name: value}
    return flat


def one_of(field: str, value: str, choices: Iterable[str]) -> None:
    """Raise `UserError` unless `value` is among `choices`."""
    if value not in choices:
        raise unknown(field, value, choices)


def not_empty(field: str, value: str, example: str = "sample:astronaut") -> None:
    """Raise `UserError` if `value` is the empty string; the message suggests the name `example`."""
    if not value:
        raise UserError(f"{field}: is empty; give a path, or a name such as {example}")


def some(field: str, values: Collection[Any]) -> None:
    """Raise `UserError` if `values` are empty."""
    if not values:
        raise UserError(f"{field}: is empty; give at least one")


def distinct(field: str, values: Sequence[Any]) -> None:
    """Raise `UserError` if one of `values` occurs twice."""
    if len(set(values)) < len(values):
        raise UserError(f"{field}: {', '.join(map(str, values))} contains duplicates")


def at_least(field: str, value: int, least: int, most: int = LARGEST_INT) -> None:
    """Raise `UserError` if `value` is below `least` or above `most`."""
    if value < least:
        raise UserError(f"{field}: {value} is below {least}")
    if value > most:
        raise UserError(f"{field}: {value} is above {most}")


def positive(field: str, value: float) -> None:
    """Raise `UserError` unless `value` is finite and above 0, also as float32."""
    if not SMALLEST_FLOAT <= value <= LARGEST_FLOAT:
        raise UserError(f"{field}: {value} is not a finite number above 0 in float32")


def not_negative(field: str, value: float) -> None:
    """Raise `UserError` unless `value` is finite and at least 0, also as float32."""
    if not (value == 0 or SMALLEST_FLOAT <= value <= LARGEST_FLOAT):
        raise UserError(f"{field}: {value} is not a finite number >= 0 in float32")


def finite(field: str, value: float) -> None:
    """Raise `UserError` unless `value` is finite, also as float32."""
    not_negative(field, abs(value))
