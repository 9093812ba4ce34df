"""What a sweep runs: a base config, and for each run the labels and the fields in which it differs."""

import ast
import dataclasses
import itertools
import json
import re
import runpy
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from nst_jax.config import Config, from_dict, to_dict
from nst_jax.errors import UserError

Overrides = dict[str, Any]  # dotted field name -> value


@dataclasses.dataclass(frozen=True)
class Run:
    """One cell of a sweep; `folder` is the name of its run folder under the sweep's."""

    labels: tuple[str, ...]
    fields: Overrides
    config: Config
    folder: str


def plan_runs(base: Any, cells: Sequence[tuple[Sequence[Any], Overrides]]) -> list[Run]:
    """The runs that `cells`, (labels, fields) each, make of the `base` config, checked.

    A field is named with dots, `network.pool`; a dict as its value replaces the whole of it.

    Raises:
        UserError: unknown fields and values that cannot be run; no runs; a run that is there twice.
    """
    if not cells:
        raise UserError("sweep: has no runs; call add(...) in it, or give --vary=field=value,value")
    runs: list[Run] = []
    digits = len(str(len(cells) - 1))
    for index, (labels, fields) in enumerate(cells):
        words = tuple(label(item) for item in labels) or tuple(f"{k}={label(v)}" for k, v in fields.items())
        config = from_dict(_with(base, fields))
        name = re.sub(r"[^\w.+=-]+", "-", "_".join((f"{index:0{digits}d}", *words)))[:80]
        if same := [run for run in runs if run.config == config]:
            raise UserError(f"sweep: {name} and {same[0].folder} are the same run")
        runs.append(Run(words, dict(fields), config, name))
    return runs


def cells_of(path: str) -> list[tuple[Sequence[Any], Overrides]]:
    """What the `sweep(add)` of a config file adds; one plain cell if it has no `sweep`.

    Raises:
        UserError: it fails.
    """
    cells: list[tuple[Sequence[Any], Overrides]] = []
    try:
        sweep = runpy.run_path(path).get("sweep")
        if sweep is None:
            return [((), {})]
        sweep(lambda *labels, **fields: cells.append((labels, fields)))
    except UserError:
        raise
    except Exception as error:  # config files are programs: whatever they raise is about them
        raise UserError(f"--config: {path}: sweep(add) raised {type(error).__name__}: {error}") from error
    return cells


def vary(
    cells: Sequence[tuple[Sequence[Any], Overrides]], flags: Sequence[str]
) -> list[tuple[Sequence[Any], Overrides]]:
    """The product of `cells` with the values of each flag, `field=value,value`.

    Raises:
        UserError: a flag of another form.
    """
    axes = [_axis(flag) for flag in flags]
    names = [name for name, _ in axes]
    if twice := [name for name in names if names.count(name) > 1]:
        raise UserError(f"--vary: {twice[0]} is given twice; list its values in one")
    return [
        ((*labels, *(f"{name}={label(value)}" for name, value in combination)), fields | dict(combination))
        for labels, fields in cells
        for combination in itertools.product(*([(name, value) for value in values] for name, values in axes))
    ]


def label(value: Any) -> str:
    """A value in few characters: `1e-05` for 0.00001, the stem of a picture's path."""
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, Mapping):
        return "+".join(value)
    text = str(value).removeprefix("sample:")
    return Path(text).stem if "/" in text else text


def flat(config: Config) -> dict[str, Any]:
    """Every field of `config` by its dotted name; layers one by one."""
    return dict(_leaves(to_dict(config), ""))


def swept(runs: Iterable[Run]) -> list[str]:
    """The dotted names of the fields in which `runs` differ; a missing one is a layer of weight 0."""
    configs = [flat(run.config) for run in runs]
    names = list(dict.fromkeys(name for config in configs for name in config))
    return [name for name in names if len({json.dumps(config.get(name, 0.0)) for config in configs}) > 1]


def to_json(runs: Iterable[Run]) -> list[dict[str, Any]]:
    """The runs as sweep.json holds them."""
    return [
        {"labels": run.labels, "fields": run.fields, "folder": run.folder, "config": to_dict(run.config)}
        for run in runs
    ]


def from_json(values: Iterable[Mapping[str, Any]]) -> list[Run]:
    """The runs that `to_json` wrote."""
    return [
        Run(tuple(value["labels"]), value["fields"], from_dict(value["config"]), value["folder"])
        for value in values
    ]


def _axis(flag: str) -> tuple[str, list[Any]]:
    name, equals, text = flag.partition("=")
    # Commas inside brackets belong to a value: scales=(0.5,1.0),(1.0,)
    values = [value for value in re.split(r",(?![^(\[{]*[)\]}])", text) if value]
    if not (name and equals and values):
        raise UserError(f"--vary: {flag!r} is not field=value,value; e.g. --vary=seed=0,1,2")
    return name, [_literal(value) for value in values]


def _literal(text: str) -> Any:
    """`text` as a Python value if it is one, `true` and `false` included, else the text itself."""
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def _with(base: Any, fields: Overrides) -> dict[str, Any]:
    values = _plain(base)
    for name, value in fields.items():
        *parents, last = name.split(".")
        inner = values
        for parent in parents:
            inner = inner.setdefault(parent, {})
            if not isinstance(inner, dict):
                raise UserError(f"sweep: field {name}: {parent} has no fields of its own")
        inner[last] = _plain(value)
    return values


def _plain(value: Any) -> Any:
    """A copy with dicts for ConfigDicts, which would otherwise be shared between runs."""
    return {k: _plain(v) for k, v in value.items()} if hasattr(value, "items") else value


def _leaves(values: Mapping[str, Any], prefix: str) -> Iterable[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value
