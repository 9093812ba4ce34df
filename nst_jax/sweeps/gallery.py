"""The gallery of a sweep: sheet.png, table.csv, and index.html, which opens from disk."""

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

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
ABOUT_SEEDS = (
    "Means of the runs that differ only in their seed; +- is half the width of the 95 % confidence interval "
    "(Student's t)."
)
ABOUT_LOSSES = (
    "Each result, scored by every loss of the sweep and by the neutral score: its distance to the style as a "
    "share of the photo's, on average over the layers. 0: the statistics of the style, 1: as far away as the "
    "photo."
)

Row = dict[str, Any]
Lines = Sequence[Mapping[str, Any]]  # of a run's metrics.jsonl
Sources = Sequence[tuple[str, str, np.ndarray]]  # kind, name, picture


class Table(NamedTuple):
    """A table on the page beside that of the runs; nothing is written if it has no rows."""

    title: str
    about: str
    file: str
    rows: Sequence[Row]


class Judged(NamedTuple):
    """What is said of the runs of a sweep; `scores` and `differing` are by folder."""

    judge: str
    scores: Mapping[str, Row]
    differing: Mapping[str, Mapping[str, str]]  # the values by which the page filters
    tables: Sequence[Table]


def write_gallery(sweep: Sweep, judged: Judged | None = None) -> Path:
    """Write sheet.png, table.csv and index.html of a sweep whose runs have ended; return the page's path.

    Without `judged`, the results are measured as in `judging` and `neutral`; cross_table.csv is written as
    well if the runs differ in their style losses, see `cross_table`. If some runs differ only in their seed,
    seeds.csv is written, see `over_seeds`.

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
    images.write(sweep.path / "sheet.png", sweep_sheet(cells, list(pictured.values())))
    judged = judged or _measured(sweep, pictures, inputs)
    rows = [_row(sweep, run) | judged.scores[run.folder] for run in sweep.runs]
    files.write_text(sweep.path / "table.csv", csv_text(rows))
    seeds = Table("Over seeds", ABOUT_SEEDS, "seeds.csv", seed_rows(sweep.runs, rows))
    tables = [table for table in (*judged.tables, seeds) if table.rows]
    for table in tables:
        files.write_text(sweep.path / table.file, csv_text(table.rows))
    page = sweep.path / "index.html"
    files.write_text(page, _page(sweep, rows, judged, tables, sources))
    return page


def _measured(sweep: Sweep, pictures: Mapping[str, np.ndarray], inputs: Pictures) -> Judged:
    """Measure the results of a sweep with the network that suits its runs."""
    runs = sweep.runs
    network, weights = judging.judge([run.config for run in runs])
    closeness, neutral = judging.Closeness(network, inputs), NeutralScores(network, inputs)
    scores = {
        run.folder: closeness(run.config, pictures[run.folder]) | neutral(run.config, pictures[run.folder])
        for run in runs
    }
    crossed = cross_rows(network, runs, pictures, inputs, neutral) if crosses_losses(runs) else []
    fields = {run.folder: flat(run.config) for run in runs}
    differing = {
        folder: {name: short(values.get(name, 0.0)) for name in swept(runs)}
        for folder, values in fields.items()
    }
    crossing = Table("Style losses", ABOUT_LOSSES, "cross_table.csv", crossed)
    return Judged(weights.name, scores, differing, [crossing])


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


def csv_text(rows: Sequence[Row]) -> str:
    """Return CSV text with a line per row; what a row lacks is left empty."""
    text = io.StringIO()
    writer = csv.DictWriter(text, _columns(rows), restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _page(
    sweep: Sweep, rows: Sequence[Row], judged: Judged, tables: Sequence[Table], sources: Sources
) -> str:
    """Return index.html, and write the source pictures that it shows."""
    names = list(next(iter(judged.differing.values())))
    values = {name: dict.fromkeys(each[name] for each in judged.differing.values()) for name in names}
    title_of = titles(sweep.runs)
    # The judge first: losses of different weights cannot be compared.
    sortable = dict.fromkeys([*next(iter(judged.scores.values())), *_columns(rows)])
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
            _dialog(run, row, judged.differing[run.folder], photos) | {"title": title_of[run.folder]}
            for run, row in zip(sweep.runs, rows, strict=True)
        ],
        curves={run.folder: loss_curves(run.config, _lines(sweep, run), CURVE_POINTS) for run in sweep.runs},
        filters={name: [*each] for name, each in values.items() if 1 < len(each) <= MOST_CHOICES},
        scores=[name for name in sortable if name not in names and _is_score(rows[0].get(name))],
        judge=f"Distances are measured with {judged.judge} for all runs, whichever network painted them.",
        rows=rows,
        columns=_columns(rows),
        tables=[table._asdict() | {"columns": _columns(table.rows)} for table in tables],
        swept=names,
    )


def _dialog(run: Run, row: Row, differing: Mapping[str, str], photos: Mapping[str, str]) -> dict[str, Any]:
    """The values of one run's dialog: its measurements and settings."""
    settings = flat(run.config)
    return {
        "folder": run.folder,
        "measurements": {name: value for name, value in row.items() if name not in (*settings, *differing)},
        "settings": settings,
        "differing": differing,
        "scores": {name: value for name, value in row.items() if _is_score(value) and math.isfinite(value)},
        "photo": photos.get(run.config.content, ""),
        "command": repeat_command(run.config),
    }


def _is_score(value: Any) -> bool:
    return isinstance(value, int | float)
