"""Results of the occlusion experiment: a sheet like Zeiler & Fergus 2013, Fig 7, a table, and arrays."""

import csv
import io
import itertools
from collections.abc import Sequence
from functools import partial

import numpy as np
from jaxtyping import Float

from nst_jax.figures import maps as colours
from nst_jax.figures.maps import Picture
from nst_jax.figures.sheets import contact_sheet
from nst_jax.vision import deconvnet
from nst_jax.vision.probing import occlusion
from nst_jax.vision.probing.occlusion import Maps, OcclusionSettings

PANEL = 320  # height of the sheet's pictures, pixels


def occlusion_table(settings: OcclusionSettings, maps: Maps) -> str:
    """Return CSV text with one line per position; probability and class are empty without a classifier."""
    text = io.StringIO()
    lines = csv.DictWriter(text, ["row", "column", *Maps._fields], lineterminator="\n")
    lines.writeheader()
    centres = occlusion.centres(settings.size, settings.stride)
    for (i, row), (j, column) in itertools.product(enumerate(centres), repeat=2):
        lines.writerow(
            {"row": row, "column": column} | {k: values[i, j] for k, values in maps.held().items()}
        )
    return text.getvalue()


def arrays(settings: OcclusionSettings, maps: Maps, projection: Picture) -> bytes:
    """Return an .npz file with the maps, the centres along their axes, and the projection."""
    centres = occlusion.centres(settings.size, settings.stride)
    content = io.BytesIO()
    np.savez_compressed(content, centres=centres, projection=projection[0], **maps.held())
    return content.getvalue()


def occlusion_sheet(
    settings: OcclusionSettings,
    picture: Picture,
    maps: Maps,
    projection: Picture,
    unit: int,
    label: int,
    names: Sequence[str] = (),
) -> Float[np.ndarray, "1 _ _ 3"]:
    """Arrange panels a to c in one row and, with a classifier, d and e with its legend in another.

    `names` are those of the classes.
    """
    spread = partial(colours.spread, stride=settings.stride, size=settings.size)
    firsts = occlusion.first_pixels(settings.size, settings.square, settings.stride)
    top, left = (int(firsts[i]) for i in np.unravel_index(maps.activity.argmin(), maps.activity.shape))
    rows = [
        [
            (
                f"a: square of {settings.square} px at the minimum of b",
                colours.outlined(picture, top, left, settings.square),
            ),
            (f"b: {settings.layer}/{unit}, {_range(maps.activity)}", spread(colours.heat(maps.activity))),
            (f"c: projection of {settings.layer}/{unit}", deconvnet.to_picture(projection)),
        ]
    ]
    if maps.probability is not None and maps.top_class is not None:
        rows += [
            [
                (f"d: P({names[label]}), {_range(maps.probability)}", spread(colours.heat(maps.probability))),
                ("e: most probable class", spread(colours.class_colours(maps.top_class))),
                ("", colours.class_legend(maps.top_class, PANEL, names)),
            ]
        ]
    return contact_sheet(rows, PANEL)


def _range(values: np.ndarray) -> str:
    return f"{values.min():.3g} to {values.max():.3g}"
