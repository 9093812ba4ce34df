"""The command that repeats one run of a sweep on its own."""

import json
import shlex
from collections.abc import Iterator
from typing import Any

from nst_jax.config import Config, flat

BASE = "gatys"  # the config whose fields all have their default values


def repeat_command(config: Config) -> str:
    """Return a shell command for a single run of `config`, as changes to configs/gatys.py."""
    flags = [f"--config={BASE}"]
    for name, value in _changed(config):
        names = isinstance(value, tuple) and all(isinstance(item, str) for item in value)
        flags.append(f"--config.{name}={','.join(value) if names else value}")
    return " ".join(["python -m nst_jax.run", *map(shlex.quote, flags)])


def _changed(config: Config) -> Iterator[tuple[str, Any]]:
    """Fields that differ from the defaults; a layer or a loss that is not used has a weight of 0."""
    defaults, fields = flat(Config()), flat(config)
    for name in {**defaults, **fields}:
        if name == "style" and config.styles:
            continue  # `styles` take its place
        if name.startswith("styles.") and fields[name] in ("", ()):
            continue  # the default
        value = fields.get(name, 0.0)
        if json.dumps(value) != json.dumps(defaults.get(name)):
            yield name, value
