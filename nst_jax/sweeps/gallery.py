"""The gallery of a sweep: sheet.png, table.csv, and index.html, which opens from disk."""

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nst_jax import files, images
from nst_jax.config import Config, flat
from nst_jax.errors import UserError, printable
from nst_jax.figures.curves import loss_curves
from nst_jax.figures.pages import render, short
from nst_jax.figures.sheets import sweep_sheet
from nst_jax.images.region_masks import mask_file
from nst_jax.runs.metrics import POSITION
from nst_jax.sweeps import judging
from nst_jax.sweeps.axes import axis_labels, columns_of, titles
from nst_jax.sweeps.cross_table import NeutralScores, cross_rows, crosses_losses
from nst_jax.sweeps.over_seeds import seed_rows
from nst_jax.sweeps.plan import Run, swept
from nst_jax.sweeps.repeating import repeat_command
from nst_jax.sweeps.sweep_folder import Sweep
from nst_jax.transfer.pictures import Pictures, picture_sources

MOST_CHOICES = 20  # of a filter
CURVE_POINTS = 100  # of a run; the page holds the curves of all runs

Row = dict[str, Any]
Lines = Sequence[Mapping[str, Any]]  # lines of a run's metrics.jsonl
Sources = Sequence[tuple[str, str, np.ndarray]]  # kind, name, picture


def write_gallery(sweep: Sweep) -> Path:
    """Write sheet.png, table.csv and index.html of a sweep whose runs have ended; return the page's path.

    If the runs differ in their style losses, cross_table.csv is written as well, see `cross_table`, and if
    some differ only in their seed, seeds.csv, see `over_seeds`.

    Raises:
        UserError: the folder cannot be written, or a file of a run cannot be read.
    """
    # A result may be smaller than the pictures that a run accepts.
    pictures = {
        run.folder: images.read(str(sweep.path / run.folder / "result.png"), smallest=1, say=False)
        for run in sweep.runs
    }
    inputs = Pictures(run.config for run in sweep.runs)
    sources = _sources(sweep, inputs)
    labels = axis_labels(sweep.runs)
    cells = {_labels(sweep, run, labels[run.folder]): pictures[run.folder] for run in sweep.runs}
    # Each picture once, without masks, which the page shows.
    pictured = {name: (kind.split()[0], picture) for kind, name, picture in sources if not _is_mask(kind)}
    sheet = sweep_sheet(cells, list(pictured.values()))
    images.write(sweep.path / "sheet.png", sheet)
    network, weights = judging.judge([run.config for run in sweep.runs])
    scores = NeutralScores(network, inputs)
    rows = [
        _row(sweep, run)
        | judging.measure(network, run.config, pictures[run.folder], inputs)
        | scores(run.config, pictures[run.folder])
        for run in sweep.runs
    ]
    files.write_text(sweep.path / "table.csv", _csv(rows))
    crossed = cross_rows(network, sweep.runs, pictures, inputs, scores) if crosses_losses(sweep.runs) else []
    if crossed:
        files.write_text(sweep.path / "cross_table.csv", _csv(crossed))
    if seeds := seed_rows(sweep.runs, rows):
        files.write_text(sweep.path / "seeds.csv", _csv(seeds))
    page = sweep.path / "index.html"
    files.write_text(page, _page(sweep, rows, crossed, seeds, sources, weights.name))
    return page


def _labels(sweep: Sweep, run: Run, labels: tuple[str, ...]) -> tuple[str, ...]:
    """The labels of a run; a single label also names the network if `auto` fell back to another one."""
    used = sweep.record(run)["network"]["arch"]
    if len(labels) != 1 or used == run.config.network.arch:
        return labels
    return (f"{labels[0]} (fallback: {used})",)


def _sources(sweep: Sweep, inputs: Pictures) -> Sources:
    """Every content and style picture and mask with a nonzero weight, at the size at which it was used."""
    seen: dict[tuple[str, str], np.ndarray] = {}
    for run in sweep.runs:
        for kind, name in _inputs(run.config):
            if (kind, name) not in seen:
                file = mask_file(name)[0] if _is_mask(kind) else name
                seen[kind, name] = images.fit(inputs.fitted(file, run.config.size).pixels, run.config.size)
    ordered = sorted(seen.items(), key=lambda item: item[0][0] != "content")
    return [(printable(kind), printable(name), picture) for (kind, name), picture in ordered]


def _is_mask(kind: str) -> bool:
    """Whether a picture of this kind, see `_inputs`, is a mask."""
    return kind.startswith(("mask of ", "region of "))


def _inputs(config: Config) -> Iterable[tuple[str, str]]:
    """The kind and the source of each picture that a run uses; of a folder, the first picture."""
    if config.active_content() or config.laplacian_weight:
        yield "content", config.content
    for name, style in config.active_styles().items() if config.active_style() else ():
        kind = f"style {name}" if config.styles else "style"
        yield kind, picture_sources(style.image)[0]
        if style.mask:
            yield f"mask of {kind}", style.mask
        if style.region:
            yield f"region of {kind}", style.region


def _row(sweep: Sweep, run: Run) -> Row:
    """One row of the table: the swept fields, the final losses, and the cost of the run."""
    fields, record = flat(run.config), sweep.record(run)
    last = _lines(sweep, run)[-1]
    return {
        "run": run.folder,
        "status": record["status"],
        "network": record["network"]["name"],
        **{name: fields.get(name, 0.0) for name in swept(sweep.runs)},
        **{name: value for name, value in last.items() if name not in POSITION},
        "steps": record["steps"],
        "evaluations": record["evaluations"],
        "seconds": record["wall_seconds"],
        "painted_together": record["painted_together"],
    }


def _lines(sweep: Sweep, run: Run) -> Lines:
    """The metrics of a run, at least one line."""
    metrics = sweep.folder(run).metrics
    if lines := metrics.read():
        return lines
    raise UserError(f"{metrics.path}: is missing or empty; delete {run.folder} to paint this run again")


def _columns(rows: Sequence[Row]) -> list[str]:
    """All keys of the rows; keys that share a prefix, such as `style/`, stand side by side."""
    names = dict.fromkeys(name for row in rows for name in row)
    prefixes = list(dict.fromkeys(name.partition("/")[0] for name in names))
    return sorted(names, key=lambda name: prefixes.index(name.partition("/")[0]))


def _csv(rows: Sequence[Row]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, _columns(rows), restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _page(
    sweep: Sweep,
    rows: Sequence[Row],
    crossed: Sequence[Row],
    seeds: Sequence[Row],
    sources: Sources,
    judge: str,
) -> str:
    """Return index.html, and write the source pictures that it shows."""
    names = swept(sweep.runs)
    fields = [flat(run.config) for run in sweep.runs]
    values = {name: dict.fromkeys(short(each.get(name, 0.0)) for each in fields) for name in names}
    title_of = titles(sweep.runs)
    shown, photos = [], {}
    for index, (kind, name, picture) in enumerate(sources):
        file = f"sources/{index}.png"
        images.write(sweep.path / file, picture)
        shown.append({"file": file, "caption": f"{kind}: {name}"})
        if kind == "content":
            photos[name] = file
    return render(
        "gallery.html",
        title=sweep.name,
        summary=sweep.summary(),
        sources=shown,
        # A full grid has the columns of the sheet; anything else wraps at the page's width.
        across=columns_of(sweep.runs) or "auto-fill",
        runs=[
            _dialog(run, row, names, photos) | {"title": title_of[run.folder]}
            for run, row in zip(sweep.runs, rows, strict=True)
        ],
        curves={run.folder: loss_curves(run.config, _lines(sweep, run), CURVE_POINTS) for run in sweep.runs},
        filters={name: [*each] for name, each in values.items() if 1 < len(each) <= MOST_CHOICES},
        scores=[name for name in _columns(rows) if name not in names and _is_score(rows[0].get(name))],
        judge=f"Distances are measured with {judge} for all runs, whichever network painted them.",
        rows=rows,
        columns=_columns(rows),
        crossed=crossed,
        cross_columns=_columns(crossed),
        seeds=seeds,
        seed_columns=_columns(seeds),
        swept=names,
    )


def _dialog(run: Run, row: Row, names: Sequence[str], photos: Mapping[str, str]) -> dict[str, Any]:
    """The values of one run's dialog: its measurements and settings."""
    settings = flat(run.config)
    return {
        "folder": run.folder,
        "measurements": {name: value for name, value in row.items() if name not in (*settings, *names)},
        "settings": settings,
        "differing": {name: short(settings.get(name, 0.0)) for name in names},
        "scores": {name: value for name, value in row.items() if _is_score(value) and math.isfinite(value)},
        "photo": photos.get(run.config.content, ""),
        "command": repeat_command(run.config),
    }


def _is_score(value: Any) -> bool:
    return isinstance(value, int | float)
