"""Loss curves as SVG text, to stand inside a page."""

import html
import math
from collections.abc import Iterable, Mapping, Sequence

Point = tuple[float | int, float | int]

WIDTH, HEIGHT, LEFT, BOTTOM = 560, 260, 64, 36  # pixels
# Round the circle in steps that keep neighbours apart.
HUE_STEP = 137.5


def legend(names: Iterable[str]) -> str:
    """A line of names, each after a stroke of the colour that `curves` gives to the series at its place."""
    strokes = (
        f'<i style="background: {_colour(index)}"></i>{html.escape(name)}' for index, name in enumerate(names)
    )
    return f'<p class="legend">{"".join(f"<span>{stroke}</span>" for stroke in strokes)}</p>'


def curves(series: Mapping[str, Sequence[Point]], across: str, up: str) -> str:
    """An SVG of each named series of points, heights on a logarithmic scale; pointing at a line names it.

    Points whose height is not a finite number above 0 are left out.
    """
    kept = {name: [p for p in points if p[1] > 0 and math.isfinite(p[1])] for name, points in series.items()}
    points = [point for line in kept.values() for point in line]
    if not points:
        return ""
    right = max(x for x, _ in points) or 1.0
    low, high = math.log10(min(y for _, y in points)), math.log10(max(y for _, y in points))
    high = max(high, low + 1e-3)

    def place(point: Point) -> str:
        x = LEFT + point[0] / right * (WIDTH - LEFT - 8)
        y = 8 + (high - math.log10(point[1])) / (high - low) * (HEIGHT - BOTTOM - 8)
        return f"{x:.1f},{y:.1f}"

    lines = [_line(name, map(place, line), index) for index, (name, line) in enumerate(kept.items()) if line]
    ticks = [_tick(place((0, 10**e)), f"{10**e:.3g}") for e in _exponents(low, high)]
    labels = (
        f'<text x="{WIDTH - 8}" y="{HEIGHT - 4}" text-anchor="end">'
        f"{html.escape(across)}, 0 to {right:.4g}</text>"
        f'<text x="{LEFT}" y="{HEIGHT - 4}">{html.escape(up)}</text>'
    )
    return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" class="curves">{"".join([*ticks, *lines])}{labels}</svg>'


def _line(name: str, points: Iterable[str], index: int) -> str:
    path = f'<polyline points="{" ".join(points)}" fill="none" stroke="{_colour(index)}" stroke-width="1.5">'
    return f"{path}<title>{html.escape(name)}</title></polyline>"


def _colour(index: int) -> str:
    return f"hsl({index * HUE_STEP % 360:.0f} 65% 42%)"


def _tick(place: str, text: str) -> str:
    x, y = place.split(",")
    line = f'<line x1="{x}" x2="{WIDTH - 8}" y1="{y}" y2="{y}" stroke="#ddd"/>'
    return f'{line}<text x="{float(x) - 6:.1f}" y="{float(y) + 4:.1f}" text-anchor="end">{text}</text>'


def _exponents(low: float, high: float) -> list[float]:
    """Whole powers of ten in the range, at most seven; its ends where there are too few."""
    whole = list(range(math.ceil(low), math.floor(high) + 1))
    if len(whole) < 2:
        return [low, high]
    return [float(e) for e in whole[:: math.ceil(len(whole) / 7)]]
