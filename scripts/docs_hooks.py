"""Hooks of the documentation site (mkdocs.yml): the configuration reference, made from the dataclasses.

    mkdocs serve

A page asks for the table of a dataclass by a line of its own, `[[fields nst_jax.config.Config]]`. The meaning
of a field is the comment at its end, or above it if it stands alone.
"""

import dataclasses
import importlib
import inspect
import re
from collections.abc import Iterator
from typing import Any, get_args, get_type_hints

_TABLE = re.compile(r"^\[\[fields ([\w.]+)\]\]$", re.MULTILINE)


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Replace every request for a table; called by mkdocs for each page."""
    return _TABLE.sub(lambda match: fields_table(_imported(match[1])), markdown)


def fields_table(kind: type) -> str:
    """Return a Markdown table of all fields of a dataclass and of the dataclasses within it."""
    rows = [f"| `{name}` | {hint} | {default} | {text} |" for name, hint, default, text in _rows(kind, "")]
    return "\n".join(["| field | type | default | meaning |", "| --- | --- | --- | --- |", *rows])


def _rows(kind: Any, prefix: str) -> Iterator[tuple[str, str, str, str]]:
    hints, texts = get_type_hints(kind), _comments(kind)
    for field in dataclasses.fields(kind):
        name, hint = prefix + field.name, hints[field.name]
        if dataclasses.is_dataclass(hint):
            yield from _rows(hint, f"{name}.")
            continue
        inner = next((part for part in get_args(hint) if dataclasses.is_dataclass(part)), None)
        yield name, f"`{_name(hint)}`".replace("|", "\\|"), _default(field), texts.get(field.name, "")
        if inner:
            yield from _rows(inner, f"{name}.NAME.")


def _comments(kind: Any) -> dict[str, str]:
    """The comment of each field in the source of a dataclass."""
    found, above = {}, ""
    for line in inspect.getsource(kind).splitlines():
        if match := re.match(r"    (\w+): .*?(?:  # (.*))?$", line):
            found[match[1]] = (match[2] or above).replace("|", "\\|")
        match = re.match(r"    # (.*)", line)
        above = match[1] if match else ""
    return found


def _default(field: Any) -> str:
    factory = field.default_factory
    value = field.default if factory is dataclasses.MISSING else factory()
    return f"`{value!r}`" if not isinstance(value, float) else f"`{value:.6g}`"


def _name(hint: Any) -> str:
    text = hint.__name__ if isinstance(hint, type) and not get_args(hint) else str(hint)
    return re.sub(r"\b(?:\w+\.)+", "", text)


def _imported(dotted: str) -> type:
    module, _, name = dotted.rpartition(".")
    return getattr(importlib.import_module(module), name)
