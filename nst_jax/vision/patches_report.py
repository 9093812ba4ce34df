"""Results of a search for top patches: units.jsonl, sheets, filters.png, and index.html."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from nst_jax import files, images
from nst_jax.figures.pages import render
from nst_jax.vision import patches_sheet
from nst_jax.vision.patches_drawn import TOP, Drawn, groups_of, read_pictures
from nst_jax.vision.search_report import Report
from nst_jax.vision.unit_rows import listed_images, listed_units, unit_rows


def write_report(report: Report, folder: Path) -> None:
    """Write all files into `folder`.

    Raises:
        UserError: the folder cannot be written, or a picture of the search is missing.
    """
    units = listed_units(report)
    drawn = read_pictures(report, listed_images(units))
    rows = list(unit_rows(report, units, drawn.frames))
    files.write_text(folder / "units.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    images.write(folder / "filters.png", patches_sheet.filters(report.network))
    for layer in report.settings.layers:
        tiles = tiles_of(report, layer, drawn)
        images.write(folder / f"{layer}.png", patches_sheet.units_sheet(tiles))
        _write_tiles(folder / "units" / layer, tiles)
        if report.settings.quantiles:
            tiles = quantile_tiles_of(report, layer, drawn)
            images.write(folder / "quantiles" / f"{layer}.png", patches_sheet.units_sheet(tiles))
            _write_tiles(folder / "quantiles" / layer, tiles)
    files.write_text(folder / "index.html", _page(report, rows))


def _write_tiles(folder: Path, tiles: Mapping[int, Image.Image]) -> None:
    for unit, tile in tiles.items():
        with files.atomic(folder / f"{unit}.png") as temporary:
            # The temporary file has no suffix that would tell the format.
            tile.save(temporary, format="PNG")


def tiles_of(report: Report, layer: str, drawn: Drawn) -> dict[int, Image.Image]:
    """Return the strongest patches of each shown unit beside their projections."""
    tiles = {}
    for unit in report.shown(layer):
        top = report.top(layer, unit)
        patches = [drawn.patches[layer, patch] for patch in top]
        projections = [drawn.projections[layer, unit, patch.image] for patch in top]
        tiles[unit] = patches_sheet.tile(patches, projections, report.settings.top, report.side(layer))
    return tiles


def quantile_tiles_of(report: Report, layer: str, drawn: Drawn) -> dict[int, Image.Image]:
    """Return the strongest patches of each shown unit beside a column of patches for each quantile."""
    tiles = {}
    for unit in report.shown(layer):
        groups = groups_of(report, layer, unit)
        shown = {title: [drawn.patches[layer, patch] for patch in group] for title, group in groups.items()}
        top = shown.pop(TOP)
        tiles[unit] = patches_sheet.quantile_tile(top, shown, report.settings.top, report.side(layer))
    return tiles


def _page(report: Report, rows: Sequence[Mapping[str, Any]]) -> str:
    """Return index.html, with all rows and the shown units."""
    layers: dict[str, Any] = {
        layer: {
            "about": _about(report, layer),
            "drawn": report.shown(layer),
            "quantiles": bool(report.settings.quantiles),
            "units": {},
        }
        for layer in report.settings.layers
    }
    for row in rows:
        quantiles = [{name: each[name] for name in each if name != "patches"} for each in row["quantiles"]]
        layers[row["layer"]]["units"][row["unit"]] = {**row, "quantiles": quantiles}
    summary = report.summary
    return render("patches.html", title="Top patches", summary=summary, layers=layers, measure=report.measure)


def _about(report: Report, layer: str) -> str:
    side = report.side(layer)
    fired = int((np.asarray(report.lists[layer].activation)[:, 0] > 0).sum())
    rank = f" by relevance towards {report.settings.target}" if report.settings.target else ""
    return (
        f"{len(report.lists[layer].image)} units, {fired} of which fired; receptive field {side} x {side} "
        f"pixels. Left: patches in reading order, strongest first{rank}. Right: their projections "
        f"({report.settings.rule})."
    )
