"""What configs and their fields say about themselves: comments, defaults, and the command in a docstring."""

import ast
import dataclasses
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, get_args, get_type_hints

_COMMAND = re.compile(r"^ *(python (?:-m )?\S+) .*--config=", re.MULTILINE)


class Described(NamedTuple):
    """A field of a config, as text; `name` is dotted, and NAME in it stands for a name of the user's."""

    name: str
    hint: str
    default: str
    text: str


def described(kind: Any, prefix: str = "") -> Iterator[Described]:
    """Yield every field of a dataclass and of the dataclasses within it.

    The text is the comment at the end of the field's line, or above it if it stands alone.
    """
    hints, texts = get_type_hints(kind), _comments(kind)
    for field in dataclasses.fields(kind):
        name, hint = prefix + field.name, hints[field.name]
        if dataclasses.is_dataclass(hint):
            yield from described(hint, f"{name}.")
            continue
        yield Described(name, _name(hint), _default(field), texts.get(field.name, ""))
        if inner := next((part for part in get_args(hint) if dataclasses.is_dataclass(part)), None):
            yield from described(inner, f"{name}.NAME.")


def help_lines(kind: Any) -> list[str]:
    """Return a line for every field of a dataclass, with its default and meaning."""
    return [f"{f'{name}={default}':50} {text}".rstrip() for name, _, default, text in described(kind)]


def docstring(path: str | Path) -> str:
    """Return the docstring of a config file, without running it."""
    return ast.get_docstring(ast.parse(Path(path).read_text(encoding="utf-8"))) or ""


def command_in(docstring: str | None) -> str:
    """Return the command that a config's docstring gives first, such as 'python -m nst_jax.run', or ''."""
    match = _COMMAND.search(docstring or "")
    return match[1] if match else ""


def _comments(kind: Any) -> dict[str, str]:
    """The comment of each field in the source of a dataclass."""
    found, above = {}, ""
    for line in inspect.getsource(kind).splitlines():
        if match := re.match(r"    (\w+): .*?(?:  # (.*))?$", line):
            found[match[1]] = match[2] or above
        match = re.match(r"    # (.*)", line)
        above = match[1] if match else ""
    return found


def _default(field: Any) -> str:
    if field.default is field.default_factory is dataclasses.MISSING:
        return "(required)"
    factory = field.default_factory
    value = field.default if factory is dataclasses.MISSING else factory()
    return f"{value:.6g}" if isinstance(value, float) else repr(value)


def _name(hint: Any) -> str:
    text = hint.__name__ if isinstance(hint, type) and not get_args(hint) else str(hint)
    return re.sub(r"\b(?:\w+\.)+", "", text)
