"""The plan of a sweep: a base config, and for each run its labels and the fields in which it differs."""

import dataclasses
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path, PureWindowsPath
from typing import Any

from absl import logging

from nst_jax.config import Config, flat, from_dict, to_dict
from nst_jax.config.effects import effective, warn_of_all_idle
from nst_jax.config.overriding import override, plain
from nst_jax.errors import UserError, one_line
from nst_jax.storage.json_files import require_fields

Overrides = dict[str, Any]  # dotted field name -> value
Cell = tuple[Sequence[Any], Overrides]  # labels, and the fields that are changed
LONGEST_LABEL = 80  # characters


@dataclasses.dataclass(frozen=True)
class Run:
    """One cell of a sweep; `folder` is the name of its run folder inside the sweep's folder."""

    labels: tuple[str, ...]
    fields: Overrides
    config: Config
    folder: str


def plan_runs(base: Any, cells: Sequence[Cell]) -> list[Run]:
    """Apply each of `cells`, a pair (labels, fields), to the `base` config; return the checked runs.

    A field has a dotted name such as `network.pool`; a dict as its value replaces the whole field.

    Raises:
        UserError: unknown fields, invalid values, no runs, or two equal runs.
    """
    if not cells:
        raise UserError("sweep: has no runs; call add(...) in sweep(add), or use --vary=field=value,value")
    runs: list[Run] = []
    # Leading zeros keep folders in the order of the runs.
    digits = len(str(len(cells) - 1))
    for index, (labels, changes) in enumerate(cells):
        fields = plain(changes)
        names = tuple(label(item) for item in labels) or tuple(f"{k}={label(v)}" for k, v in fields.items())
        config = from_dict(override(base, fields))
        folder = re.sub(r"[^\w.+=-]+", "-", "_".join((f"{index:0{digits}d}", *names)))
        folder = folder.encode()[:80].decode(errors="ignore")  # bytes: file systems allow 255
        # Two folders with the same picture would look like a result.
        if same := [run for run in runs if run.config == config]:
            raise UserError(f"sweep: {folder} and {same[0].folder} are the same run")
        runs.append(Run(names, fields, config, folder))
    return runs


def warn_of_repeats(runs: Sequence[Run], given: Iterable[str] = ()) -> None:
    """Log which of the fields that are swept, or `given` for all runs, have no effect, and equal pictures."""
    warn_of_all_idle((run.config, {**dict.fromkeys(given), **run.fields}) for run in runs)
    first: dict[str, Run] = {}
    repeats = []
    for run in runs:
        before = first.setdefault(json.dumps(effective(run.config), sort_keys=True), run)
        if before is not run:
            repeats.append((before, run))
    if repeats:
        before, run = repeats[0]
        differing = ", ".join(swept([before, run]))
        logging.warning(
            "sweep: %d runs, but only %d different pictures: %s and %s differ in %s alone, without effect",
            *(len(runs), len(first), before.folder, run.folder, differing),
        )


def cells_of(sweep: Callable[..., Any] | None, path: str) -> list[Cell]:
    """Return the cells that `sweep(add)` of the config file `path` adds; a single empty one without `sweep`.

    Raises:
        UserError: `sweep` raises an exception.
    """
    if sweep is None:
        return [((), {})]
    cells: list[Cell] = []
    try:
        sweep(lambda *labels, **fields: cells.append((labels, fields)))
    except UserError:
        raise
    except (Exception, SystemExit) as error:  # config files are programs: any exception is an error in them
        raise UserError(f"--config: {path}: sweep(add) raised {type(error).__name__}: {error}") from error
    return cells


def label(value: Any) -> str:
    """Abbreviate a value: 0.00001 as `1e-05`, the path of a picture as its stem."""
    if isinstance(value, float):
        return f"{value:g}"
    text = "+".join(map(str, value)) if isinstance(value, Mapping) else str(value).removeprefix("sample:")
    return one_line(PureWindowsPath(text).stem if {"/", "\\"} & {*text} else text, LONGEST_LABEL)


def swept(runs: Iterable[Run]) -> list[str]:
    """Return the dotted names of the fields in which `runs` differ; a missing layer counts as weight 0."""
    configs = [flat(run.config) for run in runs]
    names = list(dict.fromkeys(name for config in configs for name in config))
    return [name for name in names if len({json.dumps(config.get(name, 0.0)) for config in configs}) > 1]


def to_json(runs: Iterable[Run]) -> list[dict[str, Any]]:
    """Return `runs` as stored in sweep.json."""
    return [
        {"labels": run.labels, "fields": run.fields, "folder": run.folder, "config": to_dict(run.config)}
        for run in runs
    ]


def from_json(values: Iterable[Any]) -> list[Run]:
    """Return the runs from the output of `to_json`.

    Raises:
        ValueError: `values` have another form, or a folder is used twice or lies outside the sweep's folder.
        UserError: a config is invalid.
    """
    runs: list[Run] = []
    for value in values:
        require_fields(value, labels=list, fields=dict, folder=str, config=dict)
        labels, folder = value["labels"], value["folder"]
        if not all(isinstance(name, str) for name in labels):
            raise ValueError(f"labels {labels} are not text")
        if folder in ("", ".", "..") or Path(folder).name != folder:
            raise ValueError(f"folder {folder!r} is not a name inside the folder of the sweep")
        if folder in [run.folder for run in runs]:
            raise ValueError(f"folder {folder!r} occurs twice")
        runs.append(Run(tuple(labels), value["fields"], from_dict(value["config"]), folder))
    return runs
