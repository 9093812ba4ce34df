"""Line charts as pictures, for contact sheets; curves.py draws the ones for pages."""

import colorsys
import math
from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float
from PIL import Image, ImageDraw, ImageFont

from nst_jax.curves import HUE_STEP, Point

PLOT_WIDTH, HEIGHT, LEFT, TOP, BOTTOM, GAP = 400, 320, 64, 10, 42, 8  # pixels
FINE = 2  # drawn so many times larger, then reduced: smooth lines
FONT_SIZE, LINE_WIDTH, GRID = 13, 2, "#dddddd"


def chart(series: Mapping[str, Sequence[Point]], across: str) -> Float[np.ndarray, "1 h w 3"]:
    """Each named series as a line, its name at the right; heights from 0 to the highest point."""
    points = [point for line in series.values() for point in line]
    left, right = min(x for x, _ in points), max(x for x, _ in points)
    top = max(y for _, y in points) or 1.0
    font = ImageFont.load_default(FINE * FONT_SIZE)
    names = max(math.ceil(font.getlength(name) / FINE) for name in series)
    width = LEFT + PLOT_WIDTH + names + 3 * GAP

    def place(x: float | int, y: float | int) -> tuple[float, float]:
        along = (x - left) / ((right - left) or 1)
        return FINE * (LEFT + along * PLOT_WIDTH), FINE * (TOP + (1 - y / top) * (HEIGHT - TOP - BOTTOM))

    canvas = Image.new("RGB", (FINE * width, FINE * HEIGHT), "white")
    draw = ImageDraw.Draw(canvas)
    for y in (0.0, top / 2, top):
        draw.line([place(left, y), place(right, y)], GRID, FINE)
        draw.text((FINE * (LEFT - GAP), place(left, y)[1]), f"{y:.3g}", "black", font, "rm")
    for x in (left, (left + right) / 2, right):
        draw.text((place(x, 0)[0], FINE * (HEIGHT - BOTTOM + GAP / 2)), f"{x:.4g}", "black", font, "ma")
    draw.text((place((left + right) / 2, 0)[0], FINE * HEIGHT), across, "black", font, "md")
    for index, (name, line) in enumerate(series.items()):
        draw.line([place(*point) for point in line], _colour(index), FINE * LINE_WIDTH, "curve")
        name_at = LEFT + PLOT_WIDTH + 2 * GAP, TOP + index * (FONT_SIZE + GAP / 2)
        draw.text((FINE * name_at[0], FINE * name_at[1]), name, _colour(index), font)
    return np.asarray(canvas.resize((width, HEIGHT), Image.Resampling.BOX), np.float32)[None] / 255


def _colour(index: int) -> tuple[int, int, int]:
    red, green, blue = colorsys.hls_to_rgb(index * HUE_STEP % 360 / 360, 0.42, 0.65)
    return round(255 * red), round(255 * green), round(255 * blue)
