"""Results of a search for top patches: units.jsonl, sheets, filters.png, and index.html."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from nst_jax import files, images
from nst_jax.figures.pages import render
from nst_jax.vision.searching import patches_sheet
from nst_jax.vision.searching.distributions import NOT_SEEN
from nst_jax.vision.searching.maximized_units import maximize_units
from nst_jax.vision.searching.patches_drawn import TOP, Drawn, groups_of, read_pictures
from nst_jax.vision.searching.photo_copies import write_photos
from nst_jax.vision.searching.search_report import Report
from nst_jax.vision.searching.unit_rows import listed_images, listed_units, unit_rows

LARGEST_SMALL_FIELD = 16  # pixels; patches of such a side or less show hardly more than a colour or an edge


def write_report(report: Report, folder: Path) -> None:
    """Write all files into `folder`.

    Raises:
        UserError: the folder cannot be written, or a picture of the search is missing.
    """
    units = listed_units(report)
    drawn = read_pictures(report, listed_images(units))
    photos = write_photos(report, folder)
    maximized = maximize_units(report, folder)
    rows = list(unit_rows(report, units, drawn.frames, photos, maximized))
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
    sides = {
        file: (drawn.frames[number].width, drawn.frames[number].height) for number, file in photos.items()
    }
    files.write_text(folder / "index.html", _page(report, rows, sides))


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


def _page(report: Report, rows: Sequence[Mapping[str, Any]], photos: Mapping[str, tuple[int, int]]) -> str:
    """Return index.html, with all rows and the shown units; `photos` are width and height by file."""
    layers: dict[str, Any] = {
        layer: {
            "about": _about(report, layer),
            "reading": _reading(report, layer),
            "side": report.side(layer),
            "cell": patches_sheet.cell_side(report.side(layer)),
            "drawn": report.shown(layer),
            "sampled": int((np.asarray(report.distributions[layer].activation)[:, 0] > NOT_SEEN).sum()),
            "quantiles": bool(report.settings.quantiles),
            "filters": layer == report.network.layers[0],
            "units": {},
        }
        for layer in report.settings.layers
    }
    for row in rows:
        quantiles = [{name: each[name] for name in each if name != "patches"} for each in row["quantiles"]]
        layers[row["layer"]]["units"][row["unit"]] = {**row, "quantiles": quantiles}
    across = patches_sheet.rows_of_group(report.settings.top)
    return render(
        "patches.html",
        title="Top patches",
        summary=report.summary,
        layers=layers,
        photos=photos,
        measure=report.measure,
        rule=report.settings.rule,
        size=report.settings.size,
        across=across,
        down=math.ceil(report.settings.top / across),
        gaps=(patches_sheet.PATCH_GAP, patches_sheet.GROUP_GAP),
    )


def _about(report: Report, layer: str) -> str:
    fired = int((np.asarray(report.lists[layer].activation)[:, 0] > 0).sum())
    rank = f"by relevance towards {report.settings.target}" if report.settings.target else "by activation"
    return (
        f"{len(report.lists[layer].image)} units, {fired} of which fired, ranked {rank}; projections by "
        f"{report.settings.rule}."
    )


def _reading(report: Report, layer: str) -> str:
    """Return a sentence on how to read the patches of a layer."""
    side = report.side(layer)
    field = f"A patch is {side} x {side} pixels of the input, all that a unit of this layer sees"
    if side > LARGEST_SMALL_FIELD:
        return f"{field}."
    where = " The whole photo shows where they lie." if report.settings.photos else ""
    filters = " Each projection is the unit's filter." if layer == report.network.layers[0] else ""
    return (
        f"{field}, enlarged: an edge becomes a gradient from light to dark, and many patches are a plain "
        f"colour, black or white.{where}{filters}"
    )
