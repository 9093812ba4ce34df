"""The exception for invalid input; any other exception is a bug in this package."""

import difflib
from collections.abc import Iterable

LONGEST_LINE = 300  # characters of a message on the terminal
_LONGEST_MESSAGE = LONGEST_LINE - len("WARNING: ")
_LONGEST_NAME = 80
_ELLIPSIS = " ... "


class UserError(ValueError):
    """Invalid input; the message names the field or file, the value and the choices.

    Names in it may come from hostile files, so the message is always one printable line of limited length.
    """

    def __init__(self, message: object, tail: str = "") -> None:
        """Format `message` with `one_line`; the `tail`, such as a list of choices, is never shortened."""
        self.message, self.tail = one_line(message, _LONGEST_MESSAGE), tail
        super().__init__(self.message + tail)

    def prefixed(self, prefix: str) -> "UserError":
        """Return the error with the message `prefix: message`."""
        return UserError(f"{prefix}: {self.message}", self.tail)


def unknown(what: str, value: object, choices: Iterable[str], meant: str | None = None) -> UserError:
    """The error for a `value` that is not among the `choices`, which it lists.

    It suggests what was probably `meant`, by default the closest choice.
    """
    names, shown = list(choices), abridged(repr(value), _LONGEST_NAME)
    near = [meant] if meant else difflib.get_close_matches(shown.strip("'").lower(), names, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    message = f"{abridged(what, _LONGEST_NAME)}: unknown {shown};"
    return UserError(message, f" {hint}choices: {', '.join(names)}")


def one_line(message: object, longest: int = LONGEST_LINE) -> str:
    """Format `message` as one printable line; if it is longer than `longest`, its middle is left out."""
    return abridged(printable(" ".join(str(message).split())), longest)


def printable(text: str) -> str:
    """Escape the characters of `text` that would control a terminal or that no encoding can represent."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def abridged(text: str, longest: int) -> str:
    """Leave out the middle of `text` if it is longer than `longest` characters."""
    if len(text) <= longest:
        return text
    half = (longest - len(_ELLIPSIS)) // 2
    return text[:half] + _ELLIPSIS + text[-half:]
