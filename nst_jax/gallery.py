"""What a sweep leaves to look at: sheet.png, table.csv, and index.html, which opens from disk."""

import csv
import html
import io
import string
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

from nst_jax import files, images, measures
from nst_jax.curves import Point, curves, legend
from nst_jax.run_folder import read_run
from nst_jax.sheet import axes, sheet
from nst_jax.sweep_plan import Run, flat, swept
from nst_jax.sweep_run import Sweep

NOT_TERMS = ("step", "evaluations", "seconds", "scale")  # of a line of metrics.jsonl

Row = dict[str, Any]


def write(sweep: Sweep) -> Path:
    """Write sheet.png, table.csv and index.html of a sweep whose runs have ended; returns the page's path.

    Raises:
        UserError: the folder cannot be written, or a picture in it cannot be read.
    """
    pictures = {run.folder: images.read(str(sweep.path / run.folder / "result.png")) for run in sweep.runs}
    sources = _sources(sweep)
    cells = {_labels(sweep, run): pictures[run.folder] for run in sweep.runs}
    images.write(sweep.path / "sheet.png", sheet(cells, [(label, picture) for label, _, picture in sources]))
    network, weights = measures.judge([run.config for run in sweep.runs])
    rows = []
    for run in sweep.runs:
        rows.append(_row(sweep, run) | measures.measure(network, run.config, pictures[run.folder]))
    files.write_bytes(sweep.path / "table.csv", _csv(rows).encode())
    for index, (_, _, picture) in enumerate(sources):
        images.write(sweep.path / "sources" / f"{index}.png", picture)
    page = sweep.path / "index.html"
    judged = f"Similarity and distances are by {weights.name} for every run, whatever it was painted with."
    files.write_bytes(page, _page(sweep, rows, sources, judged).encode())
    return page


def _labels(sweep: Sweep, run: Run) -> tuple[str, ...]:
    """A run's labels; a single one also says which network stood in where `auto` had to fall back."""
    used = read_run(sweep.path / run.folder)["network"]["arch"]
    if len(run.labels) != 1 or used == run.config.network.arch:
        return run.labels
    return (f"{run.labels[0]} (by {used})",)


def _sources(sweep: Sweep) -> list[tuple[str, str, np.ndarray]]:
    """(kind, name, picture) of every content and style that counts, at the size at which it was used."""
    seen: dict[tuple[str, str], np.ndarray] = {}
    for kind in ("content", "style"):
        for run in sweep.runs:
            counts = run.config.active_content() if kind == "content" else run.config.active_style()
            name = getattr(run.config, kind)
            if counts and (kind, name) not in seen:
                seen[kind, name] = images.fit(images.read(name), run.config.size)
    return [(kind, name, picture) for (kind, name), picture in seen.items()]


def _row(sweep: Sweep, run: Run) -> Row:
    """A line of the table: the swept fields, the losses at the end, what it took."""
    fields, about = flat(run.config), read_run(sweep.path / run.folder)
    last = _metrics(sweep, run)[-1]
    return {
        "run": run.folder,
        "status": about["status"],
        "network": about["network"]["name"],
        **{name: fields.get(name, 0.0) for name in swept(sweep.runs)},
        **{name: value for name, value in last.items() if name not in NOT_TERMS},
        "steps": about["steps"],
        "evaluations": about["evaluations"],
        "seconds": about["wall_seconds"],
        "painted_together": about["painted_together"],
    }


def _metrics(sweep: Sweep, run: Run) -> list[dict[str, Any]]:
    return sweep.folder(run).metrics.read()


def _columns(rows: Sequence[Row]) -> list[str]:
    """All that any row has; measures and terms that only some have stand beside their like."""
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
    sweep: Sweep, rows: Sequence[Row], sources: Sequence[tuple[str, str, np.ndarray]], judged: str
) -> str:
    template = resources.files("nst_jax").joinpath("gallery.html").read_text()
    names = swept(sweep.runs)
    lines = {run.folder: _metrics(sweep, run) for run in sweep.runs}
    titles = {run.folder: ", ".join(run.labels) or run.folder for run in sweep.runs}
    relative = {titles[folder]: line for folder, line in lines.items()}
    rows_, columns = axes([run.labels for run in sweep.runs])
    return string.Template(template).substitute(
        title=html.escape(sweep.name),
        summary=html.escape(sweep.summary()),
        sources="\n".join(_source(i, kind, name) for i, (kind, name, _) in enumerate(sources)),
        # A full grid stands as on the sheet; anything else fills the width.
        across=len(columns) if len(rows_) * len(columns) == len(sweep.runs) > len(rows_) else "auto-fill",
        figures="\n".join(_figure(run, titles[run.folder]) for run in sweep.runs),
        plots="\n".join(_plot(relative, across) for across in ("evaluations", "seconds")),
        legend=legend(relative),
        judge=html.escape(judged),
        table=_table(rows),
        dialogs="\n".join(
            _dialog(run, titles[run.folder], lines[run.folder], row, names)
            for run, row in zip(sweep.runs, rows, strict=True)
        ),
    )


def _source(index: int, kind: str, name: str) -> str:
    caption = html.escape(f"{kind}: {name}")
    image = f'<img src="sources/{index}.png" alt="{caption}" loading="lazy">'
    return f'<figure><a href="sources/{index}.png">{image}</a><figcaption>{caption}</figcaption></figure>'


def _figure(run: Run, title: str) -> str:
    caption = html.escape(title)
    image = f'<img src="{quote(run.folder)}/result.png" alt="{caption}" loading="lazy">'
    button = f'<button data-opens="{html.escape(run.folder)}">{image}</button>'
    return f"<figure>{button}<figcaption>{caption}</figcaption></figure>"


def _dialog(run: Run, title: str, lines: Sequence[Mapping[str, Any]], row: Row, names: Sequence[str]) -> str:
    """The picture at full size, its curves, its measures, its settings with the swept ones in bold."""
    series = {
        name: [(line["evaluations"], line[name]) for line in lines]
        for name in lines[-1]
        if name not in NOT_TERMS
    }
    folder = quote(run.folder)
    settings = flat(run.config)
    measured = {name: value for name, value in row.items() if name not in (*settings, *names)}
    return (
        f'<dialog id="{html.escape(run.folder)}"><form method="dialog"><h2>{html.escape(title)}</h2>'
        "<button>Close</button></form>"
        f'<a href="{folder}/result.png"><img src="{folder}/result.png" alt="" loading="lazy"></a>'
        f'<div class="about"><div><h3>Loss</h3>'
        f"{curves(series, 'evaluations', 'terms before their weights, and the total')}{legend(series)}</div>"
        f"<div><h3>Measures</h3>{_pairs(measured, ())}</div>"
        f"<div><h3>Settings</h3>{_pairs(settings, names)}</div></div></dialog>"
    )


def _pairs(values: Mapping[str, Any], bold: Sequence[str]) -> str:
    lines = [f"<td>{html.escape(name)}</td><td>{_text(value)}</td>" for name, value in values.items()]
    kinds = [" class=swept" if name in bold else "" for name in values]
    rows = (f"<tr{kind}>{line}</tr>" for kind, line in zip(kinds, lines, strict=True))
    return f"<table>{''.join(rows)}</table>"


def _plot(lines: Mapping[str, Sequence[Mapping[str, Any]]], across: str) -> str:
    series: dict[str, list[Point]] = {}
    for name, line in lines.items():
        first = line[0]["total"]
        series[name] = [(point[across], point["total"] / first) for point in line] if first > 0 else []
    return curves(series, across, "total / total of the first image")


def _table(rows: Sequence[Row]) -> str:
    columns = _columns(rows)
    head = "".join(f"<th><button>{html.escape(name)}</button></th>" for name in columns)
    body = "\n".join(
        "<tr>" + "".join(f"<td>{_text(row.get(name, ''))}</td>" for name in columns) + "</tr>" for row in rows
    )
    return f'<table class="sortable"><thead><tr>{head}</tr></thead><tbody>\n{body}\n</tbody></table>'


def _text(value: Any) -> str:
    return f"{value:.5g}" if isinstance(value, float) else html.escape(str(value))
