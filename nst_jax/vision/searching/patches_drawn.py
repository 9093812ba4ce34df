"""The pictures of a report: patches and projections, cut out while every image is read once."""

from collections import defaultdict
from collections.abc import Collection
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from PIL import Image

from nst_jax.images.streams import Frame
from nst_jax.vision import deconvnet
from nst_jax.vision.searching.patches_sheet import cut, rows_of_group, scaled
from nst_jax.vision.searching.search_report import Report
from nst_jax.vision.searching.top_patches import Patch

TOP = "top"
NO_UNIT = -1  # of a patch without a projection


class Drawn(NamedTuple):
    """What a report shows of the images of a search."""

    frames: dict[int, Frame]  # by image
    patches: dict[tuple[str, Patch], Image.Image]  # by layer
    projections: dict[tuple[str, int, int], Image.Image]  # by layer, unit and image


def read_pictures(report: Report, listed: Collection[int] = ()) -> Drawn:
    """Read the images whose numbers are `listed`, and those of the patches on the sheets.

    Raises:
        UserError: a picture of the search is missing.
    """
    wanted: dict[int, list[tuple[str, int, Patch]]] = defaultdict(list)
    for layer in report.settings.layers:
        for unit in report.shown(layer):
            for title, patches in groups_of(report, layer, unit).items():
                for patch in patches:
                    wanted[patch.image].append((layer, unit if title == TOP else NO_UNIT, patch))
    drawn = Drawn({}, {}, {})
    waiting: dict[str, list[tuple[int, Patch, np.ndarray]]] = defaultdict(list)
    # Image by image: one shows the patches of many units, and decoding takes longest.
    for pixels, frame in report.stream.inputs(sorted({*listed, *wanted})):
        drawn.frames[frame.index] = frame
        picture = pixels.astype(np.float32) / 255
        for layer, unit, patch in wanted[frame.index]:
            drawn.patches[layer, patch] = scaled(cut(picture, report.box(layer, patch), report.side(layer)))
            if unit != NO_UNIT:
                waiting[layer].append((unit, patch, picture))
                if len(waiting[layer]) == report.settings.batch:
                    _project(report, layer, waiting.pop(layer), drawn)
    for layer, rest in waiting.items():
        _project(report, layer, rest, drawn)
    return drawn


def _project(report: Report, layer: str, patches: list[tuple[int, Patch, Any]], drawn: Drawn) -> None:
    """Add to `drawn` the projections of up to a batch of units and patches, given with whole pictures."""
    padding = report.settings.batch - len(patches)  # one compiled program serves all batches
    padded = patches + patches[-1:] * padding
    pictures = jnp.asarray(np.stack([picture for _, _, picture in padded]))
    where = jnp.array([(unit, patch.row, patch.column) for unit, patch, _ in padded], jnp.int32)
    projections = deconvnet.project(report.network, pictures, layer, where.T, report.settings.rule)
    # The rest of the projections are those of the padding.
    for (unit, patch, _), projection in zip(patches, deconvnet.to_picture(projections), strict=False):
        shown = cut(projection, report.box(layer, patch), report.side(layer))
        drawn.projections[layer, unit, patch.image] = scaled(shown)


def groups_of(report: Report, layer: str, unit: int) -> dict[str, list[Patch]]:
    """Return the patches of a unit to draw: the strongest, and those at each quantile, descending."""
    groups = {TOP: report.top(layer, unit)}
    if report.settings.quantiles:
        at = sorted(report.quantiles(layer, unit, rows_of_group(report.settings.top)), reverse=True)
        groups |= {str(each.quantile): each.patches for each in at}
    return groups
