"""Sweeps from Python."""

import csv
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from nst_jax.api.inputs import base_config, changes, dropped_unless, saved_pictures
from nst_jax.api.results import SweepResult, load_result
from nst_jax.config import Config, from_dict
from nst_jax.config.named import config_file, run_config, split_variant
from nst_jax.config.overriding import override, plain
from nst_jax.storage.locks import claimed
from nst_jax.sweeps import gallery, plan
from nst_jax.sweeps.collecting import collect_results
from nst_jax.sweeps.combining import Axis, combined, read_axes
from nst_jax.sweeps.fitting_runs import fitting_runs
from nst_jax.sweeps.running import run_sweep
from nst_jax.sweeps.sweep_folder import Sweep, require_no_sweep


def sweep(
    config: str | Config | Mapping[str, Any] = "quick",
    vary: Mapping[str, Sequence[Any] | str] | None = None,
    *,
    zipped: Mapping[str, Sequence[Any]] | None = None,
    sample: int = 0,
    seeds: int = 0,
    workdir: str | Path | None = None,
    batch: int | None = None,
    **fields: Any,
) -> SweepResult:
    """Paint every combination of the values in `vary`, `{"content_weight": [0.1, 1], "seed": [0, 1]}`.

    The values of all fields in `zipped` advance together. With a `sample`, so many random combinations of
    `vary` are drawn, whose values may then be ranges, "log:0.01..10". `seeds` repeats each run with so many
    seeds, and the sweep's folder then holds seeds.csv with means and intervals.

    Without `vary`, it paints the runs that the config file's `sweep(add)` adds. A name in `vary` is dotted or
    has two underscores; `{"content": ["folder:PATH"]}` stands for every picture in a folder. Runs with the
    same shapes and network share one program, up to `batch` at a time; by default one on a CPU, else as many
    as fit in memory. `workdir` keeps the sweep's folder with its gallery; `config` and `fields` are those of
    `load_config`.

    Raises:
        UserError: a picture, the weights or a field cannot be used; the message names it.
        KeyboardInterrupt: Ctrl-C; with a `workdir`, `python -m nst_jax.sweep --resume` continues.
    """
    with tempfile.TemporaryDirectory(prefix="nst_jax-") as temporary:
        path = Path(workdir or Path(temporary) / "sweep")
        require_no_sweep(path)
        inputs = path / "inputs" if workdir else Path(temporary)
        with claimed(path), dropped_unless(path / "sweep.json", inputs):
            file = split_variant(config_file(config))[0] if isinstance(config, str) else ""
            read, add_runs = run_config(config) if isinstance(config, str) else (base_config(config), None)
            base = override(read, changes(saved_pictures(fields, inputs)))
            cells = plan.cells_of(None if vary else add_runs, file)
            first = from_dict(base).seed
            planned = combined(cells, _axes(vary), _axes(zipped), sample, range(first, first + seeds))
            runs = plan.plan_runs(base, planned)
            plan.warn_of_repeats(runs, changes(fields))
            opened = Sweep.open(path, Path(file).stem or "sweep", fitting_runs(runs), False)
            if not run_sweep(opened, batch):
                raise KeyboardInterrupt
            gallery.write_gallery(opened)
            collect_results(opened)
        return _result(opened)


def _axes(values: Mapping[str, Sequence[Any] | str] | None) -> list[Axis]:
    axes = {name.replace("__", "."): each for name, each in (values or {}).items()}
    return [
        read_axes("vary", [f"{name}={each}"])[0] if isinstance(each, str) else (name, [*map(plain, each)])
        for name, each in axes.items()
    ]


def _result(sweep: Sweep) -> SweepResult:
    results = {run.labels: load_result(sweep.path / run.folder) for run in sweep.runs}
    with Image.open(sweep.path / "sheet.png") as sheet, (sweep.path / "table.csv").open() as table:
        programs = sum(group["compilations"] for group in sweep.groups)
        # A copy: the file may be in a temporary folder, which is deleted next.
        return SweepResult(results, sheet.copy(), list(csv.DictReader(table)), programs)
