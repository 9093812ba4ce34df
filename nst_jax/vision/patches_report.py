"""Results of a search for top patches: units.jsonl, sheets, filters.png, and index.html."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from PIL import Image

from nst_jax import files, images
from nst_jax.figures.pages import render
from nst_jax.images.streams import Frame, Stream
from nst_jax.networks import receptive
from nst_jax.networks.network import Network
from nst_jax.vision import deconvnet, patches_sheet
from nst_jax.vision.search_settings import TopPatchesSettings
from nst_jax.vision.top_patches import Patch, Strongest, patches_of

PICTURES_HELD = 256  # cached source images of patches: neighbouring units often share some


class Report(NamedTuple):
    """The inputs of the report."""

    settings: TopPatchesSettings
    network: Network
    stream: Stream
    lists: Mapping[str, Strongest]
    summary: str
    names: Sequence[str] = ()  # of classes, if relevance is measured towards them


def write_report(report: Report, folder: Path) -> None:
    """Write all files into `folder`; units.jsonl comes first, because the pictures take longer.

    Raises:
        UserError: the folder cannot be written, or a picture of the search is missing.
    """
    rows = list(_rows(report))
    files.write_text(folder / "units.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    images.write(folder / "filters.png", patches_sheet.filters(report.network))
    for layer in report.settings.layers:
        tiles = draw(report, layer)
        images.write(folder / f"{layer}.png", patches_sheet.units_sheet(tiles))
        for unit, tile in tiles.items():
            with files.atomic(folder / "units" / layer / f"{unit}.png") as temporary:
                tile.save(temporary, format="PNG")
    files.write_text(folder / "index.html", _page(report, rows))


def _units(report: Report, layer: str) -> tuple[int, ...]:
    return report.settings.units_of(layer, len(report.lists[layer].image))


def _shown(report: Report, layer: str) -> tuple[int, ...]:
    return report.settings.shown_of(layer, len(report.lists[layer].image))


def _rows(report: Report) -> Iterator[dict[str, Any]]:
    """Yield a line of units.jsonl for each unit."""
    top = {
        (layer, unit): patches_of(report.lists[layer], unit)
        for layer in report.settings.layers
        for unit in _units(report, layer)
    }
    frames = _frames(report.stream, (patch.image for patches in top.values() for patch in patches))
    for (layer, unit), patches in top.items():
        lines = [_line(report, layer, patch, frames[patch.image]) for patch in patches]
        row = {"layer": layer, "unit": unit, "patches": lines}
        yield row | ({"classes": _class_counts(report, patches)} if report.names else {})


def _class_counts(report: Report, patches: Sequence[Patch]) -> dict[str, int]:
    """Return how many of a unit's patches come from pictures of each class, most frequent first."""
    counts = Counter(report.names[patch.label] for patch in patches)
    return dict(counts.most_common())


def _frames(stream: Stream, numbers: Iterable[int]) -> dict[int, Frame]:
    return {number: stream.input(number)[1] for number in sorted(set(numbers))}


def _line(report: Report, layer: str, patch: Patch, frame: Frame) -> dict[str, Any]:
    return {
        "image": frame.name,
        _measure(report): patch.activation,
        "row": patch.row,
        "column": patch.column,
        "box": list(frame.to_source(_box(report, layer, patch))),
    }


def _box(report: Report, layer: str, patch: Patch) -> tuple[int, int, int, int]:
    """Return the receptive field of the patch, in pixels of the network's input."""
    size = report.settings.size
    return receptive.box(report.network.geometry, layer, patch.row, patch.column, size, size)


def draw(report: Report, layer: str) -> dict[int, Image.Image]:
    """Draw the patches of each shown unit beside their projections."""
    side = receptive.field_side(report.network.geometry, layer)
    chosen = [
        (unit, patch) for unit in _shown(report, layer) for patch in patches_of(report.lists[layer], unit)
    ]
    drawn: dict[int, list[tuple[np.ndarray, np.ndarray]]] = {unit: [] for unit in _shown(report, layer)}
    for (unit, patch), picture, projection in _projected(report, layer, chosen):
        box = _box(report, layer, patch)
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
        layer: {"about": _about(report, layer), "drawn": _shown(report, layer), "units": {}}
        for layer in report.settings.layers
    }
    for row in rows:
        layers[row["layer"]]["units"][row["unit"]] = row["patches"]
    summary = report.summary
    return render(
        "patches.html", title="Top patches", summary=summary, layers=layers, measure=_measure(report)
    )


def _measure(report: Report) -> str:
    """What units are ranked by."""
    return "relevance" if report.settings.target else "activation"


def _about(report: Report, layer: str) -> str:
    side = receptive.field_side(report.network.geometry, layer)
    fired = int((np.asarray(report.lists[layer].activation)[:, 0] > 0).sum())
    rank = f" by relevance towards {report.settings.target}" if report.settings.target else ""
    return (
        f"{len(report.lists[layer].image)} units, {fired} of which fired; receptive field {side} x {side} "
        f"pixels. Left: patches in reading order, strongest first{rank}. Right: their projections "
        f"({report.settings.rule})."
    )
