"""Maps as pictures: values in a colour scale of increasing lightness, classes in distinct colours."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int
from PIL import Image, ImageDraw

from nst_jax.figures.lettering import draw_text
from nst_jax.images.writing import to_bytes

MOST_NAMED = 8  # classes with a colour of their own
_OTHERS = (0.6, 0.6, 0.6)
_FONT_SIZE, _LINE = 16, 26  # pixels

Picture = Float[np.ndarray, "1 h w 3"]


def heat(values: Float[np.ndarray, "rows columns"]) -> Float[np.ndarray, "rows columns 3"]:
    """Colour `values` with viridis: the lowest in dark violet, the highest in yellow."""
    from matplotlib import colormaps

    span = float(values.max() - values.min())
    return colormaps["viridis"]((values - values.min()) / (span or 1))[..., :3].astype(np.float32)


def class_colours(classes: Int[np.ndarray, "rows columns"]) -> Float[np.ndarray, "rows columns 3"]:
    """Colour each of the most frequent classes differently, all others gray."""
    colours = np.full((*classes.shape, 3), _OTHERS, np.float32)
    for index, (number, _) in enumerate(_by_frequency(classes)[:MOST_NAMED]):
        colours[classes == number] = _colour(index)
    return colours


def class_legend(classes: Int[np.ndarray, "rows columns"], side: int, names: Sequence[str]) -> Picture:
    """Draw the legend of `class_colours`: each colour with its class's name and its share of the cells."""
    canvas = Image.new("RGB", (side, side), "white")
    draw = ImageDraw.Draw(canvas)
    ranked = _by_frequency(classes)
    entries = [(_colour(i), names[number], count) for i, (number, count) in enumerate(ranked[:MOST_NAMED])]
    if others := ranked[MOST_NAMED:]:
        entries.append((_OTHERS, f"{len(others)} others", sum(count for _, count in others)))
    for line, (fill, name, count) in enumerate(entries):
        y = line * _LINE
        draw.rectangle((0, y, _FONT_SIZE, y + _FONT_SIZE), tuple(round(255 * value) for value in fill))
        draw_text(draw, (_FONT_SIZE + 8, y), f"{name}: {count / classes.size:.0%}", _FONT_SIZE)
    return np.asarray(canvas, np.float32)[None] / 255


def spread(cells: Float[np.ndarray, "rows columns 3"], stride: int, size: int) -> Picture:
    """Enlarge each cell to `stride` x `stride` pixels, and crop the picture to sides of `size`."""
    return cells.repeat(stride, axis=0).repeat(stride, axis=1)[np.newaxis, :size, :size]


def outlined(picture: Picture, top: int, left: int, side: int) -> Picture:
    """Draw the outline of a square, which may extend beyond the border, on a copy of `picture`."""
    canvas = Image.fromarray(to_bytes(picture[0]))
    ImageDraw.Draw(canvas).rectangle((left, top, left + side - 1, top + side - 1), outline="red", width=2)
    return np.asarray(canvas, np.float32)[None] / 255


def _colour(rank: int) -> tuple[float, float, float]:
    from matplotlib import colormaps

    return colormaps["tab10"](rank)[:3]


def _by_frequency(classes: np.ndarray) -> list[tuple[int, int]]:
    """Return (class, number of cells), most frequent first; ties go to the lower class."""
    numbers, counts = np.unique(classes, return_counts=True)
    return sorted(zip(numbers.tolist(), counts.tolist(), strict=True), key=lambda pair: -pair[1])
