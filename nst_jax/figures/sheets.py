"""Labelled pictures combined into one: contact sheets, and the sheet of a sweep."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float
from PIL import Image, ImageDraw

from nst_jax import images
from nst_jax.figures.lettering import draw_text, text_width
from nst_jax.images.writing import to_bytes

Labelled = Sequence[tuple[str, np.ndarray]]

LABEL_SIZE, MARGIN = 16, 6  # pixels
MOST_ACROSS = 6  # pictures per row if they do not form a grid
LARGEST_CELL, SHEET_WIDTH = 256, 2400  # pixels


def contact_sheet(panels: Sequence[Sequence[tuple[str, np.ndarray]]], height: int = 256) -> np.ndarray:
    """Arrange rows of (label, picture) as one picture "1 h w 3"; each is scaled to `height` pixels."""
    rows = [[_panel(label, picture, height) for label, picture in row] for row in panels]
    width = max(sum(panel.width + MARGIN for panel in row) for row in rows) + MARGIN
    sheet = Image.new("RGB", (width, sum(row[0].height + MARGIN for row in rows) + MARGIN), "white")
    y = MARGIN
    for row in rows:
        x = MARGIN
        for panel in row:
            sheet.paste(panel, (x, y))
            x += panel.width + MARGIN
        y += row[0].height + MARGIN
    return np.asarray(sheet, np.float32)[None] / 255


def _panel(label: str, picture: np.ndarray, height: int) -> Image.Image:
    shown = _scaled(picture, height)
    panel = Image.new("RGB", (shown.width, height + LABEL_SIZE + MARGIN), "white")
    draw_text(ImageDraw.Draw(panel), (0, 0), label, LABEL_SIZE)
    panel.paste(shown, (0, LABEL_SIZE + MARGIN))
    return panel


def sweep_sheet(
    cells: Mapping[tuple[str, ...], np.ndarray], sources: Labelled
) -> Float[np.ndarray, "1 h w 3"]:
    """Arrange pictures in a grid by their labels: the first is the row, the others are the column.

    Labelled `sources` are placed at the left. Without at least two rows and columns, pictures wrap instead.
    """
    rows, columns = grid_axes(list(cells))
    if len(rows) == 1 or len(columns) == 1:
        named = [(", ".join(label for label in labels if label), cell) for labels, cell in cells.items()]
        panels = [*sources, *named]
        across = -(-len(panels) // -(-len(panels) // MOST_ACROSS))  # rows of nearly equal length
        height = _height([picture for _, picture in panels], across)
        return contact_sheet([panels[i : i + across] for i in range(0, len(panels), across)], height)
    placed = {(labels[0], ", ".join(labels[1:])): cell for labels, cell in cells.items()}
    return _grid(rows, columns, placed, sources)


def grid_axes(labels: Sequence[tuple[str, ...]]) -> tuple[list[str], list[str]]:
    """Return the names of the rows and of the columns of a grid; either has one if labels form no grid."""
    rows = list(dict.fromkeys(names[0] if names else "" for names in labels))
    return rows, list(dict.fromkeys(", ".join(names[1:]) for names in labels))


def _grid(
    rows: Sequence[str],
    columns: Sequence[str],
    cells: Mapping[tuple[str, str], np.ndarray],
    sources: Labelled,
) -> np.ndarray:
    height = _height(list(cells.values()), len(columns) + 1)
    shown = {key: _scaled(cell, height) for key, cell in cells.items()}
    wide = max(picture.width for picture in shown.values())
    wide = max(wide, *(text_width(column, LABEL_SIZE) for column in columns)) + MARGIN
    tall, top = height + MARGIN, LABEL_SIZE + 2 * MARGIN
    side = _source_strip(sources, height, len(rows) * tall)
    left = side.width + max(text_width(row, LABEL_SIZE) for row in rows) + 3 * MARGIN
    canvas = Image.new("RGB", (left + len(columns) * wide, top + len(rows) * tall), "white")
    canvas.paste(side, (MARGIN, top))
    draw = ImageDraw.Draw(canvas)
    for x, column in enumerate(columns):
        draw_text(draw, (left + x * wide, MARGIN), column, LABEL_SIZE)
    for y, row in enumerate(rows):
        place = side.width + 2 * MARGIN, top + y * tall + height // 2
        draw_text(draw, place, row, LABEL_SIZE, anchor="lm")
        for x, column in enumerate(columns):
            if (row, column) in shown:
                canvas.paste(shown[row, column], (left + x * wide, top + y * tall))
    return np.asarray(canvas, np.float32)[None] / 255


def _source_strip(sources: Labelled, height: int, room: int) -> Image.Image:
    """Stack the sources, each as tall as a cell, or smaller if they do not fit."""
    height = min(height, room // max(1, len(sources)) - LABEL_SIZE - 2 * MARGIN)
    column = contact_sheet([[source] for source in sources], max(height, LABEL_SIZE))[0]
    strip = Image.new("RGB", (column.shape[1], room), "white")
    strip.paste(Image.fromarray(to_bytes(column)))
    return strip


def _height(pictures: Sequence[np.ndarray], across: int) -> int:
    """Return the height of a cell: that of the tallest picture, limited by the size of the sheet."""
    widest = max(picture.shape[2] / picture.shape[1] for picture in pictures)
    tallest = max(picture.shape[1] for picture in pictures)
    return max(LABEL_SIZE, min(tallest, LARGEST_CELL, int(SHEET_WIDTH / across / widest)))


def _scaled(cell: np.ndarray, height: int) -> Image.Image:
    width = max(1, round(height * cell.shape[2] / cell.shape[1]))
    return Image.fromarray(to_bytes(images.resize(cell, height, width)[0]))
