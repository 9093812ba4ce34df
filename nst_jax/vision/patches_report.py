"""Results of a search for top patches: units.jsonl, sheets, filters.png, and index.html."""

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
from PIL import Image

from nst_jax import files, images
from nst_jax.figures.pages import render
from nst_jax.vision import deconvnet, patches_sheet
from nst_jax.vision.quantile_sheet import draw_quantiles, read_pictures
from nst_jax.vision.search_report import Report
from nst_jax.vision.top_patches import Patch
from nst_jax.vision.unit_rows import listed_images, listed_units, unit_rows

PICTURES_HELD = 256  # cached source images of patches: neighbouring units often share some


def write_report(report: Report, folder: Path) -> None:
    """Write all files into `folder`; units.jsonl comes first, because the pictures take longer.

    Raises:
        UserError: the folder cannot be written, or a picture of the search is missing.
    """
    units = listed_units(report)
    frames, crops = read_pictures(report, listed_images(units))
    rows = list(unit_rows(report, units, frames))
    files.write_text(folder / "units.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    images.write(folder / "filters.png", patches_sheet.filters(report.network))
    for layer in report.settings.layers:
        tiles = draw(report, layer)
        images.write(folder / f"{layer}.png", patches_sheet.units_sheet(tiles))
        _write_tiles(folder / "units" / layer, tiles)
        if report.settings.quantiles:
            tiles = draw_quantiles(report, layer, crops)
            images.write(folder / "quantiles" / f"{layer}.png", patches_sheet.units_sheet(tiles))
            _write_tiles(folder / "quantiles" / layer, tiles)
    files.write_text(folder / "index.html", _page(report, rows))


def _write_tiles(folder: Path, tiles: Mapping[int, Image.Image]) -> None:
    for unit, tile in tiles.items():
        with files.atomic(folder / f"{unit}.png") as temporary:
            tile.save(temporary, format="PNG")


def draw(report: Report, layer: str) -> dict[int, Image.Image]:
    """Draw the patches of each shown unit beside their projections."""
    side = report.side(layer)
    chosen = [(unit, patch) for unit in report.shown(layer) for patch in report.top(layer, unit)]
    drawn: dict[int, list[tuple[np.ndarray, np.ndarray]]] = {unit: [] for unit in report.shown(layer)}
    for (unit, patch), picture, projection in _projected(report, layer, chosen):
        box = report.box(layer, patch)
        drawn[unit].append((patches_sheet.cut(picture, box, side), patches_sheet.cut(projection, box, side)))
    top = report.settings.top
    return {
        unit: patches_sheet.tile([p for p, _ in pairs], [q for _, q in pairs], top, side)
        for unit, pairs in drawn.items()
    }


def _projected(
    report: Report, layer: str, chosen: Sequence[tuple[int, Patch]]
) -> Iterator[tuple[tuple[int, Patch], np.ndarray, np.ndarray]]:
    """Yield each entry of `chosen` with its whole picture, and its projection as a picture."""

    @lru_cache(PICTURES_HELD)
    def picture(number: int) -> np.ndarray:
        return report.stream.input(number)[0].astype(np.float32) / 255

    batch = report.settings.batch
    for begin in range(0, len(chosen), batch):
        group = chosen[begin : begin + batch]
        padded = [*group, *[group[-1]] * (batch - len(group))]  # one compiled program serves all batches
        pictures = np.stack([picture(patch.image) for _, patch in padded])
        where = jnp.array([(unit, patch.row, patch.column) for unit, patch in padded], jnp.int32)
        projections = deconvnet.project(
            report.network, jnp.asarray(pictures), layer, *where.T, report.settings.rule
        )
        yield from zip(group, pictures, deconvnet.to_picture(projections), strict=False)


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
