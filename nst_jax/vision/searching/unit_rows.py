"""The rows of units.jsonl: patches, histogram, quantiles, classes and similar units of each unit."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from nst_jax.images.streams import Frame
from nst_jax.vision.searching.distributions import NOT_SEEN
from nst_jax.vision.searching.maximized_units import MaximizedUnit
from nst_jax.vision.searching.patches_sheet import rows_of_group
from nst_jax.vision.searching.quantile_patches import AtQuantile, histogram_of
from nst_jax.vision.searching.search_report import Report
from nst_jax.vision.searching.similar_units import similar_units
from nst_jax.vision.searching.top_patches import Patch

MOST_LABELS = 10  # the most frequent labels that a row counts


Listed = tuple[str, int, list[Patch], list[AtQuantile]]  # a layer, a unit, its strongest patches, and others


def listed_units(report: Report) -> list[Listed]:
    """Return all units that the report lists, with their patches."""
    count = rows_of_group(report.settings.top)
    return [
        (layer, unit, report.top(layer, unit), report.quantiles(layer, unit, count))
        for layer in report.settings.layers
        for unit in report.units(layer)
    ]


def listed_images(units: Iterable[Listed]) -> set[int]:
    """Return the numbers of all images that the rows name."""
    groups = (group for *_, top, quantiles in units for group in (top, *(each.patches for each in quantiles)))
    return {patch.image for group in groups for patch in group}


def unit_rows(
    report: Report,
    units: Iterable[Listed],
    frames: Mapping[int, Frame],
    photos: Mapping[int, str],
    maximized: Mapping[tuple[str, int], MaximizedUnit],
) -> Iterator[dict[str, Any]]:
    """Yield a line of units.jsonl for each unit.

    `frames` holds those of all images listed, `photos` the files of the copies of some of them, and
    `maximized` the pictures of some units.
    """
    labels = _labels(report, frames)
    similar = {
        layer: similar_units(np.asarray(report.distributions[layer].activation))
        for layer in report.settings.layers
    }
    for layer, unit, top, quantiles in units:
        row: dict[str, Any] = {
            "layer": layer,
            "unit": unit,
            "patches": _lines(report, layer, top, frames),
            "histogram": histogram_of(report.distributions[layer], unit),
            "similar": [each._asdict() for each in similar[layer][unit]],
        }
        if (layer, unit) in maximized:
            row["maximized"] = maximized[layer, unit]._asdict()
        for line, patch in zip(row["patches"], top, strict=True):
            if patch.image in photos:
                line["photo"] = photos[patch.image]
        if labels:
            row["labels"] = _counted(labels.get(patch.image, "") for patch in top)
        if report.names:
            row["classes"] = _counted(report.names[patch.label] for patch in top)
        row["quantiles"] = [
            {
                "quantile": each.quantile,
                report.measure: each.activation,
                "patches": _lines(report, layer, each.patches, frames),
                **({"labels": _counted(labels.get(number, "") for number in each.above)} if labels else {}),
            }
            for each in quantiles
        ]
        yield row


def _labels(report: Report, numbers: Iterable[int]) -> dict[int, str]:
    """Return the labels of the sampled images and those at `numbers`; empty if the data has none."""
    activation = np.asarray(report.distributions[report.settings.layers[0]].activation)
    # A label may be read from a file: only those that a row counts.
    needed = {*numbers, *report.sampled[activation[:, 0] > NOT_SEEN].tolist()}
    labels = {number: report.stream.label(number) for number in needed}
    return {number: label for number, label in labels.items() if label is not None}


def _counted(names: Iterable[str]) -> dict[str, int]:
    """Return how often each name occurs, most frequent first."""
    return dict(Counter(names).most_common(MOST_LABELS))


def _lines(
    report: Report, layer: str, patches: Sequence[Patch], frames: Mapping[int, Frame]
) -> list[dict[str, Any]]:
    return [
        {
            "image": frames[patch.image].name,
            report.measure: patch.activation,
            "row": patch.row,
            "column": patch.column,
            "box": list(frames[patch.image].to_source(report.box(layer, patch))),
        }
        for patch in patches
    ]
