"""The one error that is the user's to mend; everything else is a fault of ours."""

import difflib
from collections.abc import Iterable


class UserError(ValueError):
    """Bad input: the message is one line that names the field or file, the value, and the choices."""


def unknown(what: str, value: object, choices: Iterable[str]) -> UserError:
    """`value` is none of the `choices` for `what`: name the nearest, then all of them."""
    names = list(choices)
    near = difflib.get_close_matches(str(value).lower(), names, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return UserError(f"{what}: unknown {value!r}; {hint}choices: {', '.join(names)}")
