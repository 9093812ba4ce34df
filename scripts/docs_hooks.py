"""Hooks of the documentation site (mkdocs.yml): the configuration reference, made from the dataclasses.

    mkdocs serve

A page asks for the table of a dataclass by a line of its own, `[[fields nst_jax.config.Config]]`.
"""

import importlib
import re
from typing import Any

from nst_jax.config.described import described

_TABLE = re.compile(r"^\[\[fields ([\w.]+)\]\]$", re.MULTILINE)


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Replace every request for a table; called by mkdocs for each page."""
    return _TABLE.sub(lambda match: fields_table(_imported(match[1])), markdown)


def fields_table(kind: type) -> str:
    """Return a Markdown table of all fields of a dataclass and of the dataclasses within it."""
    fields = [
        field._replace(hint=f"`{field.hint}`", default=f"`{field.default}`") for field in described(kind)
    ]
    rows = [
        " | ".join(["", f"`{field.name}`", *(cell.replace("|", "\\|") for cell in field[1:]), ""]).strip()
        for field in fields
    ]
    return "\n".join(["| field | type | default | meaning |", "| --- | --- | --- | --- |", *rows])


def _imported(dotted: str) -> type:
    module, _, name = dotted.rpartition(".")
    return getattr(importlib.import_module(module), name)
