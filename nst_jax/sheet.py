"""One picture of a whole sweep: first labels down, second labels across, sources at the side."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float
from PIL import Image, ImageDraw, ImageFont

from nst_jax import images, report
from nst_jax.report import LABEL_SIZE, MARGIN

Labelled = Sequence[tuple[str, np.ndarray]]

MOST_ACROSS = 6  # pictures of a sweep with one label each
LARGEST_CELL, SHEET_WIDTH = 256, 2400  # pixels


def sheet(cells: Mapping[tuple[str, ...], np.ndarray], sources: Labelled) -> Float[np.ndarray, "1 h w 3"]:
    """Lay out pictures by their labels, with the labelled `sources` (content, style) at the side.

    Where a picture has more than two labels, the second and those after it name its column together.
    """
    rows, columns = axes(list(cells))
    if len(rows) == 1 or len(columns) == 1:
        named = [(", ".join(label for label in labels if label), cell) for labels, cell in cells.items()]
        return _rows([*sources, *named])
    placed = {(labels[0], ", ".join(labels[1:])): cell for labels, cell in cells.items()}
    return _grid(rows, columns, placed, sources)


def axes(labels: Sequence[tuple[str, ...]]) -> tuple[list[str], list[str]]:
    """The names of the rows and of the columns; one of either where the labels make no grid."""
    rows = list(dict.fromkeys(names[0] if names else "" for names in labels))
    return rows, list(dict.fromkeys(", ".join(names[1:]) for names in labels))


def _rows(panels: Labelled) -> np.ndarray:
    across = -(-len(panels) // -(-len(panels) // MOST_ACROSS))  # in rows as even as can be
    height = _height([picture for _, picture in panels], across)
    return report.contact_sheet([panels[i : i + across] for i in range(0, len(panels), across)], height)


def _grid(
    rows: Sequence[str],
    columns: Sequence[str],
    cells: Mapping[tuple[str, str], np.ndarray],
    sources: Labelled,
) -> np.ndarray:
    font = ImageFont.load_default(LABEL_SIZE)
    height = _height(list(cells.values()), len(columns) + 1)
    shown = {key: _picture(cell, height) for key, cell in cells.items()}
    wide = max(picture.width for picture in shown.values())
    wide = max(wide, *(int(font.getlength(column)) for column in columns)) + MARGIN
    tall, top = height + MARGIN, LABEL_SIZE + 2 * MARGIN
    side = _source_strip(sources, height, len(rows) * tall)
    left = side.width + max(int(font.getlength(row)) for row in rows) + 3 * MARGIN
    canvas = Image.new("RGB", (left + len(columns) * wide, top + len(rows) * tall), "white")
    canvas.paste(side, (MARGIN, top))
    draw = ImageDraw.Draw(canvas)
    for x, column in enumerate(columns):
        draw.text((left + x * wide, MARGIN), column, "black", font)
    for y, row in enumerate(rows):
        draw.text((side.width + 2 * MARGIN, top + y * tall + height // 2), row, "black", font, anchor="lm")
        for x, column in enumerate(columns):
            if (row, column) in shown:
                canvas.paste(shown[row, column], (left + x * wide, top + y * tall))
    return np.asarray(canvas, np.float32)[None] / 255


def _source_strip(sources: Labelled, height: int, room: int) -> Image.Image:
    """The sources under one another, as tall as the cells, or less where there is no room."""
    height = min(height, room // max(1, len(sources)) - LABEL_SIZE - 2 * MARGIN)
    column = report.contact_sheet([[source] for source in sources], max(height, LABEL_SIZE))[0]
    strip = Image.new("RGB", (column.shape[1], room), "white")
    strip.paste(Image.fromarray(np.uint8(column * 255 + 0.5)))
    return strip


def _height(pictures: Sequence[np.ndarray], across: int) -> int:
    """Cells as tall as their pictures, unless that is too large for a sheet."""
    widest = max(picture.shape[2] / picture.shape[1] for picture in pictures)
    tallest = max(picture.shape[1] for picture in pictures)
    return max(LABEL_SIZE, min(tallest, LARGEST_CELL, int(SHEET_WIDTH / across / widest)))


def _picture(cell: np.ndarray, height: int) -> Image.Image:
    width = max(1, round(height * cell.shape[2] / cell.shape[1]))
    return Image.fromarray(np.uint8(images.resize(cell, height, width)[0] * 255 + 0.5))
