"""Reduced copies of photos, on which the page shows where a patch is from.

They are copies, because the photos may be in a dataset, or elsewhere once the folder of the search is moved.
"""

from collections.abc import Iterable
from itertools import chain, zip_longest
from pathlib import Path

from PIL import Image

from nst_jax import files
from nst_jax.vision.searching.search_report import Report
from nst_jax.vision.searching.top_patches import Patch

LONGER_SIDE, QUALITY = 320, 80  # pixels, and of JPEG: about 20 KB each
FOLDER = "photos"


def write_photos(report: Report, folder: Path) -> dict[int, str]:
    """Write copies of up to `settings.photos` images; return their files, relative to `folder`, by image.

    The images of units that are drawn come before others, and those of stronger patches before weaker ones.

    Raises:
        UserError: the folder cannot be written, or a picture of the search is missing.
    """
    layers = report.settings.layers
    drawn = [report.top(layer, unit) for layer in layers for unit in report.shown(layer)]
    listed = [report.top(layer, unit) for layer in layers for unit in report.units(layer)]
    chosen = list(dict.fromkeys((*_by_rank(drawn), *_by_rank(listed))))[: report.settings.photos]
    written = {}
    for number, pixels in zip(chosen, report.stream.reduced(chosen, LONGER_SIDE), strict=True):
        written[number] = f"{FOLDER}/{number}.jpg"
        with files.atomic(folder / written[number]) as temporary:
            Image.fromarray(pixels).save(temporary, format="JPEG", quality=QUALITY)
    return written


def _by_rank(units: Iterable[list[Patch]]) -> Iterable[int]:
    """Return the images of all first patches, then those of all second ones, and so on."""
    return (patch.image for patch in chain.from_iterable(zip_longest(*units)) if patch is not None)
