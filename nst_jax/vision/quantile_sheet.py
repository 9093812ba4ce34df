"""Sheets of the patches at quantiles of each unit's maxima, beside the strongest ones."""

import numpy as np
from PIL import Image

from nst_jax.vision.patches_sheet import cut, quantile_tile, rows_of_group, scaled
from nst_jax.vision.search_report import Report
from nst_jax.vision.top_patches import Patch


def draw_quantiles(report: Report, layer: str) -> dict[int, Image.Image]:
    """Draw, for each shown unit, its strongest patches and a column for each quantile, in descending order.

    Raises:
        UserError: a picture of the search is missing.
    """
    top, side = report.settings.top, report.side(layer)
    chosen: dict[int, dict[str, list[Patch]]] = {}  # of each unit, by title
    for unit in report.shown(layer):
        at = sorted(report.quantiles(layer, unit, rows_of_group(top)), reverse=True)
        chosen[unit] = {"top": report.top(layer, unit)} | {str(each.quantile): each.patches for each in at}
    everything = [patch for groups in chosen.values() for group in groups.values() for patch in group]
    drawn = _drawn(report, layer, everything)
    tiles = {}
    for unit, groups in chosen.items():
        first, *columns = ([drawn[patch] for patch in group] for group in groups.values())
        tiles[unit] = quantile_tile(first, dict(zip(list(groups)[1:], columns, strict=True)), top, side)
    return tiles


def _drawn(report: Report, layer: str, patches: list[Patch]) -> dict[Patch, Image.Image]:
    """Return the picture of each patch; each image is read once."""
    by_image: dict[int, list[Patch]] = {}
    for patch in patches:
        by_image.setdefault(patch.image, []).append(patch)
    drawn = {}
    for pixels, frame in report.stream.inputs(sorted(by_image)):
        picture = pixels.astype(np.float32) / 255
        for patch in by_image[frame.index]:
            drawn[patch] = scaled(cut(picture, report.box(layer, patch), report.side(layer)))
    return drawn
