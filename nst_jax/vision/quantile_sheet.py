"""Sheets of the patches at quantiles of each unit's maxima, beside the strongest ones."""

from collections.abc import Collection, Mapping
from typing import NamedTuple

import numpy as np
from PIL import Image

from nst_jax.images.streams import Frame
from nst_jax.vision.patches_sheet import cut, quantile_tile, rows_of_group, scaled
from nst_jax.vision.search_report import Report
from nst_jax.vision.top_patches import Patch

TOP = "top"


class ReadPictures(NamedTuple):
    """What the report needs of the pictures, each of which is read once."""

    frames: dict[int, Frame]
    crops: dict[tuple[str, Patch], Image.Image]  # patches to draw, by layer


def read_pictures(report: Report, listed: Collection[int]) -> ReadPictures:
    """Read the images whose numbers are `listed`, and those on the sheets of quantiles.

    Raises:
        UserError: a picture of the search is missing.
    """
    by_image: dict[int, set[tuple[str, Patch]]] = {}
    for layer in report.settings.layers if report.settings.quantiles else ():
        for groups in quantile_groups(report, layer).values():
            for patch in (patch for group in groups.values() for patch in group):
                by_image.setdefault(patch.image, set()).add((layer, patch))
    read = ReadPictures({}, {})
    for pixels, frame in report.stream.inputs(sorted({*listed, *by_image})):
        read.frames[frame.index] = frame
        if frame.index not in by_image:
            continue
        picture = pixels.astype(np.float32) / 255
        for layer, patch in by_image[frame.index]:
            read.crops[layer, patch] = scaled(cut(picture, report.box(layer, patch), report.side(layer)))
    return read


def quantile_groups(report: Report, layer: str) -> dict[int, dict[str, list[Patch]]]:
    """Return the patches of each shown unit: the strongest, and those at each quantile, descending."""
    groups = {}
    for unit in report.shown(layer):
        at = sorted(report.quantiles(layer, unit, rows_of_group(report.settings.top)), reverse=True)
        groups[unit] = {TOP: report.top(layer, unit)} | {str(each.quantile): each.patches for each in at}
    return groups


def draw_quantiles(
    report: Report, layer: str, crops: Mapping[tuple[str, Patch], Image.Image]
) -> dict[int, Image.Image]:
    """Draw, for each shown unit, its strongest patches and a column of patches for each quantile."""
    tiles = {}
    for unit, groups in quantile_groups(report, layer).items():
        drawn = {title: [crops[layer, patch] for patch in group] for title, group in groups.items()}
        tiles[unit] = quantile_tile(drawn.pop(TOP), drawn, report.settings.top, report.side(layer))
    return tiles
