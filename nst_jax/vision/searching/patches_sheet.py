"""Sheets like Zeiler & Fergus 2013, Fig 2: for each unit, its patches beside their projections."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float
from PIL import Image, ImageDraw, ImageOps

from nst_jax.figures.lettering import draw_text
from nst_jax.images.streams import Stream
from nst_jax.images.writing import to_bytes
from nst_jax.networks import receptive
from nst_jax.networks.network import Network
from nst_jax.vision.deconvnet import MID_GRAY
from nst_jax.vision.searching.top_patches import Patch

# Pixels. Gaps between patches, between the two groups of a unit, and between units.
PATCH_GAP, GROUP_GAP, UNIT_GAP = 2, 6, 18
# Any smaller, projections of deep layers would blur to gray: they are made of lines a few pixels wide.
SMALLEST_CELL, LARGEST_CELL, LARGEST_QUANTILE_CELL, FILTER_CELL = 60, 160, 90, 36
LABEL_SIZE = 15
UNITS_ACROSS, FILTERS_ACROSS = 4, 16
NO_PATCH = (240, 240, 240)

Panel = Float[np.ndarray, "h w 3"]


def cut(picture: Panel, box: Sequence[int], side: int) -> Float[np.ndarray, "{side} {side} 3"]:
    """Crop `box` from a picture, and pad it with gray to a whole receptive field of `side` pixels."""
    x0, y0, x1, y1 = box
    # A receptive field is clipped at one end only, because the picture is at least as large.
    left, top = (side - (high - low) if low == 0 else 0 for low, high in ((x0, x1), (y0, y1)))
    whole = np.full((side, side, 3), MID_GRAY, np.float32)
    whole[top : top + y1 - y0, left : left + x1 - x0] = picture[y0:y1, x0:x1]
    return whole


def patch_side(network: Network, layer: str) -> int:
    """Return the side of a patch: the whole receptive field of `layer`, in pixels."""
    return receptive.field_side(network.geometry, layer)


def cut_patch(network: Network, stream: Stream, layer: str, patch: Patch) -> Float[np.ndarray, "s s 3"]:
    """Read the picture of `patch` and crop it to the receptive field."""
    picture = stream.input(patch.image)[0].astype(np.float32) / 255
    box = receptive.box(network.geometry, layer, patch.row, patch.column, *picture.shape[:2])
    return cut(picture, box, patch_side(network, layer))


def rows_of_group(top: int) -> int:
    """Return the number of rows of a square group of `top` cells."""
    return math.ceil(math.sqrt(top))


def patch_group(patches: Sequence[Panel], top: int, side: int) -> Float[np.ndarray, "1 _ _ 3"]:
    """Arrange the patches of a unit in a square of `top` cells; `side` as in `tile`."""
    return _array(_group([scaled(patch) for patch in patches], top, cell_side(side)))


def tile(
    patches: Sequence[Image.Image], projections: Sequence[Image.Image], top: int, side: int
) -> Image.Image:
    """Arrange the patches of a unit beside its projections: two square groups of `top` cells each.

    Both are `scaled`; `side` is the side of the receptive field.
    """
    return _grid([_group(cells, top, cell_side(side)) for cells in (patches, projections)], 2, GROUP_GAP)


def _group(patches: Sequence[Image.Image], top: int, cell: int) -> Image.Image:
    return _grid(_filled(patches, top, cell), rows_of_group(top), PATCH_GAP)


def scaled(patch: Panel) -> Image.Image:
    """Return a patch, which is a whole receptive field, at the size at which sheets show it."""
    return _image(patch, cell_side(len(patch)), Image.Resampling.BICUBIC)


def cell_side(side: int) -> int:
    """Return the side of a patch on sheets, of which a receptive field has `side` pixels."""
    return min(max(side, SMALLEST_CELL), LARGEST_CELL)


def _filled(patches: Sequence[Image.Image], count: int, cell: int) -> list[Image.Image]:
    """Reduce patches to cells, and fill up to `count` of them with empty ones."""
    reduced = [patch if patch.width == cell else patch.resize((cell, cell)) for patch in patches]
    return reduced + [Image.new("RGB", (cell, cell), NO_PATCH)] * (count - len(reduced))


def quantile_tile(
    top: Sequence[Image.Image], columns: Mapping[str, Sequence[Image.Image]], count: int, side: int
) -> Image.Image:
    """Arrange the `count` strongest patches of a unit, and a column of patches for each title to their right.

    The patches are `scaled`; `side` is the side of the receptive field.
    """
    rows, cell = rows_of_group(count), min(cell_side(side), LARGEST_QUANTILE_CELL)
    groups = {f"top {count}": _group(top, count, cell)}
    for title, patches in columns.items():
        groups[title] = _grid(_filled(patches, rows, cell), 1, PATCH_GAP)
    labelled = [_labelled(title, group) for title, group in groups.items()]
    width = sum(group.width + GROUP_GAP for group in labelled) - GROUP_GAP
    canvas = Image.new("RGB", (width, labelled[0].height), "white")
    left = 0
    for group in labelled:
        canvas.paste(group, (left, 0))
        left += group.width + GROUP_GAP
    return canvas


def units_sheet(tiles: Mapping[int, Image.Image]) -> Float[np.ndarray, "1 h w 3"]:
    """Arrange all tiles of a layer, each below the number of its unit."""
    labelled = [_labelled(str(unit), picture) for unit, picture in tiles.items()]
    return _array(ImageOps.expand(_grid(labelled, UNITS_ACROSS, UNIT_GAP), UNIT_GAP, "white"))


def filters(network: Network) -> Float[np.ndarray, "1 h w 3"]:
    """Draw the first layer's kernels in RGB: 0 is mid-gray, the largest weight of each black or white."""
    kernels = np.moveaxis(np.asarray(network.first_kernel()), -1, 0)
    largest = np.abs(kernels).max((1, 2, 3), keepdims=True)
    pictures = MID_GRAY + MID_GRAY * kernels / np.where(largest > 0, largest, 1)
    cells = [_image(picture, FILTER_CELL, Image.Resampling.NEAREST) for picture in pictures]
    return _array(_grid(cells, FILTERS_ACROSS, PATCH_GAP))


def _grid(pictures: Sequence[Image.Image], across: int, gap: int) -> Image.Image:
    """Arrange pictures of equal size in rows of `across`."""
    width, height = pictures[0].size
    columns, rows = min(across, len(pictures)), math.ceil(len(pictures) / across)
    size = columns * (width + gap) - gap, rows * (height + gap) - gap
    canvas = Image.new("RGB", size, "white")
    for index, picture in enumerate(pictures):
        row, column = divmod(index, across)
        canvas.paste(picture, (column * (width + gap), row * (height + gap)))
    return canvas


def _labelled(label: str, picture: Image.Image) -> Image.Image:
    canvas = Image.new("RGB", (picture.width, picture.height + LABEL_SIZE + PATCH_GAP), "white")
    draw_text(ImageDraw.Draw(canvas), (0, 0), label, LABEL_SIZE, anchor="lt")
    canvas.paste(picture, (0, LABEL_SIZE + PATCH_GAP))
    return canvas


def _image(picture: Panel, side: int, resampling: Image.Resampling) -> Image.Image:
    return Image.fromarray(to_bytes(picture)).resize((side, side), resampling)


def _array(picture: Image.Image) -> np.ndarray:
    return np.asarray(picture, np.float32)[None] / 255
