"""The ink wash painting of the bundled samples; `paint_samples.py` runs it."""

import numpy as np
from brushes import (
    Field,
    Picture,
    Points,
    along,
    clouds,
    grid,
    halved,
    ink,
    mix,
    palette,
    sample,
    smoothstep,
)
from scipy.ndimage import gaussian_filter

Strokes = list[tuple[Points, float, float]]  # path, width, darkness

MOUNTAINS = [  # from far to near: foot, rise, strength of the ink, mineral colours, number of pines
    (0.42, 0.20, 0.45, ["#3f6f9a", "#7fa6b8"], 0),
    (0.58, 0.32, 0.70, ["#1f5f8f", "#5f9fa8"], 0),
    (0.76, 0.34, 0.90, ["#1f6f62", "#7fa878", "#c8a45a"], 9),
    (1.02, 0.34, 1.00, ["#1a4a4a", "#4f8a5a", "#b8803a"], 16),
]


def ink_wash(rng: np.random.Generator) -> Picture:
    """Paint mountains in mist, in ink and mineral blue and green, with pines, birds and a red seal."""
    height, width = 1152, 1440
    x, y = grid(height, width)
    page = _paper(x.shape, rng)
    from_sun = np.hypot(x - 0.93, y - 0.19) + 0.008 * clouds(x.shape, 12, rng)
    red = palette(clouds(x.shape, 30, rng), ["#c23a20", "#e8925a"])
    page = mix(page, red, 0.9 * smoothstep(-from_sun, -0.080, -0.074))
    for mountains in MOUNTAINS:
        page = _mountains(page, *mountains, rng)
    birds: Strokes = []
    for at in rng.normal([0.62, 0.16], [0.1, 0.035], (9, 2)) * height:
        birds += _bird(at, rng)
    page = mix(page, np.full_like(page, 0.08), ink(x.shape, birds, rng))
    return halved(_sealed(page, rng))


def _paper(shape: tuple[int, int], rng: np.random.Generator) -> Picture:
    noise = rng.standard_normal((2, *shape))
    fibres = gaussian_filter(noise[0], (0.8, 9)) + gaussian_filter(noise[1], (9, 0.8))
    stains = 0.6 + 0.9 * (clouds(shape, 200, rng) - 0.5)
    return palette(stains + 0.5 * fibres, ["#c4a673", "#e2cfa2", "#f4ead0"])


def _mountains(
    page: Picture,
    foot: float,
    rise: float,
    strength: float,
    minerals: list[str],
    pines: int,
    rng: np.random.Generator,
) -> Picture:
    """Paint one mountain range: a wash with a wet edge, brush strokes down the slopes, and pines."""
    height, width = page.shape[:2]
    _, y = grid(height, width)
    shape = y.shape
    ridge = foot - rise * clouds((1, width), 150, rng, octaves=7)[0] ** 1.2
    below = np.maximum(y - ridge, 0)
    bleed = 0.006 * (clouds(shape, 6, rng) - 0.5)
    inside = smoothstep(y - ridge + bleed, -0.0015, 0.0015)
    mist = np.exp(-below / (0.55 * rise)) * (0.45 + 0.9 * clouds(shape, 110, rng))
    wash = palette(clouds(shape, 60, rng), minerals)
    page = mix(page, wash, inside * strength * np.minimum(mist, 1) * 0.95)
    folds = clouds(shape, 45, rng)
    dark = strength * inside * mist * smoothstep(np.sin(40 * folds), -0.4, 0.9)
    strokes = _slopes(ridge * height, folds, dark, rng)
    for column in rng.integers(0, width, pines):
        root = np.array([column, ridge[column] * height + 8])
        strokes += _pine(root, rng.uniform(0.06, 0.13) * height, rng)
    wet_edge = 0.8 * strength * np.exp(-below / 0.007) * clouds(shape, 25, rng) * inside
    density = np.minimum(wet_edge + ink(shape, strokes, rng), 0.93)
    return mix(page, palette(folds, ["#0c0d14", "#1a1f2a"]), density)


def _slopes(ridge: np.ndarray, folds: Field, dark: Field, rng: np.random.Generator) -> Strokes:
    """Return strokes that run downhill and follow the folds; their darkness is `dark` at their start."""
    height, width = folds.shape
    fall = np.tanh(1.5 * np.gradient(gaussian_filter(ridge, 12))) + 1.6 * (folds - 0.5)
    starts = rng.uniform(0, 1, (9000, 2)) * [width, height]
    paths = along(np.arctan2(1.0, fall), starts, rng.uniform(25, 95, (len(starts), 1)))
    widths = rng.uniform(1.5, 8, len(starts))
    darkness = sample(dark, paths[:, 0])
    strokes = zip(paths, widths, darkness, strict=True)
    return [stroke for stroke in strokes if stroke[2] > 0.08]


def _pine(root: Points, tall: float, rng: np.random.Generator) -> Strokes:
    """Return the strokes of a pine: a trunk, and boughs with fans of needles."""
    trunk = _curve(root, root + tall * np.array([rng.normal(0, 0.2), -1.0]), 0.12, rng)
    strokes: Strokes = [(trunk, 0.09 * tall, 0.9)]
    for level in rng.uniform(0.3, 1.0, 9):
        fork = trunk[int(level * 9)]
        reach = tall * rng.uniform(0.2, 0.55) * (1.25 - level) * rng.choice([-1, 1])
        bough = _curve(fork, fork + np.array([reach, -0.08 * tall]), 0.15, rng)
        strokes.append((bough, 0.035 * tall, 0.85))
        for at in bough[2:]:
            turns = rng.uniform(-np.pi, 0, 7)
            tips = at + 0.11 * tall * np.stack([np.cos(turns), 0.8 * np.sin(turns)], axis=-1)
            strokes += [(_curve(at, tip, 0.1, rng), 2.5, rng.uniform(0.5, 1)) for tip in tips]
    return strokes


def _bird(at: Points, rng: np.random.Generator) -> Strokes:
    wing = rng.uniform(9, 20)
    tips = at + wing * np.array([[-1.0, -0.5], [1.0, -0.4]])
    return [(_curve(at, tip, 0.25, rng), 5.0, 0.9) for tip in tips]


def _curve(start: Points, end: Points, bend: float, rng: np.random.Generator) -> Points:
    t = np.linspace(0, 1, 10)[:, np.newaxis]
    sideways = (end - start)[::-1] * [-1, 1] * rng.normal(0, bend)
    return start + (end - start) * t + sideways * np.sin(np.pi * t)


def _sealed(page: Picture, rng: np.random.Generator) -> Picture:
    """Add a carved and worn red seal to the page."""
    x, y = grid(*page.shape[:2])
    u, v = (x - 0.075) / 0.042, (y - 0.115) / 0.055
    border = np.maximum(np.abs(u), np.abs(v))
    stone = smoothstep(-border - 0.2 * clouds(x.shape, 7, rng), -1.1, -1.0)
    strokes = smoothstep(np.abs(np.sin(4.7 * u) * np.sin(3.9 * v + np.sign(u))), 0.15, 0.3)
    carved = np.maximum(strokes, smoothstep(border, 0.75, 0.82))
    worn = 0.55 + 0.45 * smoothstep(clouds(x.shape, 5, rng), 0.25, 0.5)
    return mix(page, np.broadcast_to([0.72, 0.09, 0.07], page.shape), stone * worn * carved)
