"""The exception for invalid input; any other exception is a bug in this package."""

import difflib
from collections.abc import Iterable


class UserError(ValueError):
    """Invalid input; the one-line message names the field or file, the value and the choices."""


def unknown(what: str, value: object, choices: Iterable[str]) -> UserError:
    """The error for a `value` that is not among the `choices`; it suggests the closest one and lists all."""
    names = list(choices)
    near = difflib.get_close_matches(str(value).lower(), names, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return UserError(f"{what}: unknown {value!r}; {hint}choices: {', '.join(names)}")
