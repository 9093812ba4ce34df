"""Paints the style pictures of `nst_jax/samples`: python scripts/paint_samples.py [NAME ...]

All of them are made by the code here, from fixed seeds: no picture from elsewhere is used, and so
they ship under the package's own licence. Lengths are in units of the picture's height.
"""

import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from brushes import (
    Field,
    Layer,
    Picture,
    along_levels,
    cells,
    clouds,
    grid,
    halved,
    lit,
    mix,
    paint,
    palette,
    smoothstep,
    warped,
)
from paint_ink import ink_wash
from PIL import Image

SAMPLES = Path(__file__).parents[1] / "nst_jax" / "samples"

WHIRLS = [  # x, y, radius, strength
    (0.50, 0.34, 0.13, 0.20),
    (0.78, 0.47, 0.085, -0.13),
    (0.14, 0.52, 0.07, 0.07),
]
LIGHTS = [  # x, y, radius
    (1.06, 0.17, 0.075),
    (0.13, 0.13, 0.035),
    (0.34, 0.09, 0.02),
    (0.26, 0.42, 0.026),
    (0.69, 0.12, 0.025),
    (0.90, 0.36, 0.022),
    (1.16, 0.45, 0.03),
    (0.56, 0.56, 0.017),
]


def swirls(rng: np.random.Generator) -> Picture:
    """A night sky in whirls of blue and gold over dark water, in thick paint."""
    height, width = 576, 720
    x, y = grid(height, width)
    stream, glow = _night_wind(x, y, rng)
    bands = 0.5 + 0.5 * np.sin(70 * stream + 2 * clouds(x.shape, 40, rng))
    sky = _night_sky(y, bands, glow, rng)
    horizon = 0.70 + 0.03 * np.sin(5 * x) + 0.012 * np.sin(17 * x + 1)
    water = smoothstep(y - horizon, -0.004, 0.004)
    # On the water the sky is mirrored, drawn out sideways by the waves, and darker.
    waves = np.sin(95 * (y + 0.25 * clouds(x.shape, 50, rng)) / (0.4 + y))
    mirror = warped(sky, 9 * waves, height * 1.45 * (horizon - y) + 6 * waves)
    lake = palette(0.5 + 0.5 * waves, ["#06123a", "#1c5f8f"])
    lake = mix(0.95 * mirror, lake, 0.3 + 0.25 * waves)
    lake = mix(lake, palette(waves, ["#e8a01c", "#ffe98a"]), _glitter(x, y - horizon, waves))
    subject = mix(sky, lake, water)
    hills = horizon - 0.035 - 0.05 * np.abs(np.sin(3.1 * x + 0.5)) * clouds(x.shape, 60, rng)
    far_shore = smoothstep(y - hills, 0, 0.01) * (1 - water)
    subject = mix(subject, palette(bands, ["#07122b", "#123a4f"]), far_shore)
    angle = np.where(water > 0.5, 0.16 * np.cos(11 * x + 31 * y), along_levels(stream))
    layers = [Layer(13, 70, 3), Layer(7.5, 46, 4), Layer(4, 26, 2.5)]
    return paint(subject, angle, layers, rng, relief=4)


def _night_wind(x: Field, y: Field, rng: np.random.Generator) -> tuple[Field, Field]:
    """A stream function, whose level lines the strokes and bands follow; the lights' glow."""
    stream = 0.55 * y + 0.03 * np.sin(5.5 * x + 1) + 0.04 * clouds(x.shape, 90, rng)
    for cx, cy, radius, strength in WHIRLS:
        stream += strength * np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * radius**2))
    glow = np.zeros_like(x)
    for cx, cy, radius in LIGHTS:
        r = np.hypot(x - cx, y - cy) / radius
        stream += 3.6 * radius * np.exp(-((r / 2.2) ** 2))
        halo = np.exp(-((r / 2.3) ** 2)) * (0.72 + 0.28 * np.cos(3.6 * r)) + np.exp(-(r**4))
        glow = np.maximum(glow, halo)
    return stream, glow


def _night_sky(y: Field, bands: Field, glow: Field, rng: np.random.Generator) -> Picture:
    tone = 0.10 + 0.55 * bands * (0.5 + 0.5 * clouds(y.shape, 60, rng)) + 0.3 * y
    blues = palette(tone, ["#08103a", "#12297a", "#1f4fae", "#3f86c9", "#8cc3d6", "#d8e6c4"])
    greens = palette(tone, ["#0a1638", "#173a6e", "#1f6f8f", "#4fae9f", "#b9dcae", "#f2e9a8"])
    sky = mix(blues, greens, smoothstep(clouds(y.shape, 110, rng), 0.45, 0.75))
    gold = palette(glow, ["#5f93b8", "#9cc0a0", "#e8c84a", "#f7a51c", "#fff3b0"])
    return mix(sky, gold, 1.5 * glow)


def _glitter(x: Field, depth: Field, waves: Field) -> Field:
    """How much of each light lies on the water, `depth` below the horizon, on the waves' crests."""
    paths = [
        (0.3 + 6 * radius) * np.exp(-(((x - cx) / (0.7 * radius + 0.10 * depth)) ** 2))
        for cx, _, radius in LIGHTS
    ]
    return np.max(paths, axis=0) * smoothstep(waves, -0.2, 0.7)


SUN = (0.47, 0.47)
ROCKS = [(0.60, 0.10, 0.95), (0.62, 0.055, 0.15), (0.63, 0.07, 1.2)]  # foot, height, x


def sunset(rng: np.random.Generator) -> Picture:
    """A burning sky over a dark fjord: long wavering strokes of red, orange, yellow and blue."""
    height, width = 576, 720
    x, y = grid(height, width)
    level = y + 0.05 * np.sin(4.2 * x + 2.5 * y) + 0.022 * np.sin(9.5 * x - 4 * y + 1)
    level += 0.10 * (clouds(x.shape, 80, rng) - 0.5)
    bands = 0.5 + 0.5 * np.sin(52 * level + 3 * clouds(x.shape, 60, rng))
    shore = 0.60 + 0.02 * np.sin(6 * x) - 0.05 * smoothstep(x, 0.6, 1.25)
    water = smoothstep(y - shore, -0.003, 0.003)
    subject = mix(_fiery_sky(x, y, level, bands), _fjord(x, y, level), water)
    near_sun = (np.hypot(x - SUN[0], y - SUN[1]) < 0.13) & (y < shore)
    around = np.arctan2(y - SUN[1], x - SUN[0]) + np.pi / 2
    angle = np.where(near_sun, around, along_levels(level))
    for foot, tall, at in ROCKS:
        rough = 0.7 + 0.6 * clouds(x.shape, 25, rng)
        top = foot - tall * np.exp(-(((x - at) / 0.16) ** 2)) * rough
        rock = smoothstep(y - top, 0, 0.006) * smoothstep(foot + 0.02 - y, 0, 0.01)
        subject = mix(subject, palette(bands, ["#1a0f2e", "#3f1f4a", "#6b2f4a"]), rock)
        downhill = 1.1 * np.sign(x - at) * (np.abs(x - at) < 0.3)
        angle = np.where(rock > 0.5, downhill, angle)
    layers = [Layer(18, 120, 3), Layer(11, 80, 3.5, 0.16), Layer(6, 44, 2, 0.14)]
    return paint(subject, angle, layers, rng, relief=5)


def _fiery_sky(x: Field, y: Field, level: Field, bands: Field) -> Picture:
    from_sun = np.hypot(x - SUN[0], y - SUN[1])
    heat = 0.12 + 1.03 * level + 0.34 * (bands - 0.5) + 0.25 * np.exp(-(from_sun**2) / 0.03)
    fire = ["#5a0f2e", "#a3142c", "#d8371c", "#f0691a", "#fba62a", "#ffdf6b", "#fff6c2"]
    cool = palette(bands, ["#3f7f8c", "#7fb09a", "#f6c98a"])
    streaks = smoothstep(np.sin(19 * level + 2 * x), 0.55, 0.95)
    disc = palette(from_sun / 0.075, ["#fffbe0", "#ffe98a", "#fdc02f"])
    return mix(mix(palette(heat, fire), cool, 0.85 * streaks), disc, smoothstep(-from_sun, -0.08, -0.07))


def _fjord(x: Field, y: Field, level: Field) -> Picture:
    ripple = 0.5 + 0.5 * np.sin(70 * (1.2 * level - 0.2 * y) / (0.35 + y))
    tone = 0.28 + 0.36 * ripple - 0.2 * y
    water = palette(tone, ["#0a1230", "#123a5c", "#1f6f7d", "#7aa68c"])
    path = np.exp(-(((x - SUN[0]) / (0.06 + 0.45 * np.maximum(y - 0.58, 0))) ** 2))
    fire = palette(ripple, ["#d8371c", "#fba62a", "#fff0a0"])
    return mix(water, fire, 0.95 * path * smoothstep(ripple, 0.25, 0.6))


RINGS = [(0, 1), (0.085, 8), (0.17, 12), (0.27, 16), (0.365, 24), (0.45, 36)]  # radius, petals
TRACERY = (0.045, 0.128, 0.318, 0.49)  # radii of the circles of thick lead
JEWELS = [
    ["#2a0206", "#8a0a1a", "#d81e2c", "#ff6a4a", "#ffd0a0"],  # 0 ruby
    ["#03083a", "#0f2a9a", "#2a5ee0", "#6aa8ff", "#d8ecff"],  # 1 sapphire
    ["#3a1a00", "#b0620a", "#f0a81c", "#ffd75a", "#fff6c8"],  # 2 amber
    ["#02240f", "#0a6a35", "#22a85a", "#7ae08a", "#e0ffd0"],  # 3 emerald
    ["#1a0230", "#5a1a8a", "#9a3ec8", "#d08af0", "#f8dcff"],  # 4 amethyst
    ["#022028", "#0a6a7a", "#1cb0b8", "#80e8e0", "#e4fff8"],  # 5 aquamarine
]
PAIRS = np.array([[2, 2], [0, 2], [1, 5], [0, 4], [1, 3], [2, 0], [1, 4]])  # a ring's two jewels


def stained_glass(rng: np.random.Generator) -> Picture:
    """A rose window: rings of petals, each of several shards of streaked glass, in lead."""
    x, y = (axis - 0.5 for axis in grid(1280, 1280))
    x = x + 0.02 * (clouds(x.shape, 110, rng) - 0.5)
    y = y + 0.02 * (clouds(x.shape, 110, rng) - 0.5)
    petals = _petals(rng)
    shards = rng.uniform(-0.55, 0.55, (230, 2))
    petal, gap = cells(petals, x, y)
    shard, fine_gap = cells(shards, x + 0.01 * clouds(x.shape, 30, rng), y)
    ring = np.min([np.abs(np.hypot(x, y) - radius) for radius in TRACERY], axis=0)
    lead = np.min([gap / 0.0075, fine_gap / 0.0036, ring / 0.0075], axis=0)
    rounded = np.sqrt(np.clip(1 - lead**2, 0, 1))

    light, streaks = _daylight(x, y, rng.uniform(0, 1, (len(shards), 2))[shard], rng)
    light += 0.25 * smoothstep(gap, 0, 0.07) + 0.1 * smoothstep(fine_gap, 0, 0.03)
    jewel = _jewels(petals, len(shards), rng)[petal, shard]
    glass = np.choose(jewel[..., np.newaxis], [palette(light, colours) for colours in JEWELS])
    tarnish = rounded * (0.6 + 0.4 * clouds(x.shape, 8, rng))
    window = mix(glass, palette(tarnish, ["#07070b", "#15161c", "#3a3b42"]), smoothstep(-lead, -1.1, -0.9))
    return halved(lit(window, rounded + 0.12 * streaks + 0.15 * clouds(x.shape, 12, rng), 5))


def _petals(rng: np.random.Generator) -> np.ndarray:
    """Points on the rings, every second ring turned by half a petal, and scattered outside them."""
    outside = rng.uniform(-0.55, 0.55, (900, 2))
    points = [outside[np.hypot(*outside.T) > 0.50][:90]]
    for turn, (radius, count) in enumerate(RINGS):
        angles = 2 * np.pi * (np.arange(count) + turn % 2 / 2) / count
        points.append(radius * np.stack([np.cos(angles), np.sin(angles)], axis=-1))
    return np.concatenate(points[::-1])


def _daylight(x: Field, y: Field, lot: np.ndarray, rng: np.random.Generator) -> tuple[Field, Field]:
    """The light through the glass, and its streaks; `lot` is two chances for each shard."""
    turn = 2 * np.pi * lot[..., 0]
    across = x * np.cos(turn) + y * np.sin(turn)
    streaks = 0.5 + 0.5 * np.sin(90 * across + 9 * clouds(x.shape, 60, rng))
    light = 0.40 + 0.35 * (lot[..., 1] - 0.4) + 0.34 * (streaks - 0.5) + 0.24 * across
    light = light * (1.25 - 0.9 * np.hypot(x, y)) + 0.22 * (clouds(x.shape, 9, rng) - 0.5)
    return light, streaks


def _jewels(petals: np.ndarray, shards: int, rng: np.random.Generator) -> np.ndarray:
    """The jewel of each (petal, shard): rings alternate between two, one shard in eight is free."""
    ring = np.searchsorted([0.04, 0.12, 0.22, 0.31, 0.41, 0.47], np.hypot(*petals.T))
    own = PAIRS[ring, np.arange(len(petals)) % 2]
    free = rng.random((len(petals), shards)) < 0.125
    return np.where(free, rng.integers(0, len(JEWELS), shards), own[:, np.newaxis])


PAINTINGS: dict[str, Callable[[np.random.Generator], Picture]] = {
    "ink_wash": ink_wash,
    "stained_glass": stained_glass,
    "sunset": sunset,
    "swirls": swirls,
}


def main(names: list[str]) -> None:
    """Paint the named pictures, or all of them: the same pictures at every call."""
    for name in names or PAINTINGS:
        picture = PAINTINGS[name](np.random.default_rng(zlib.crc32(name.encode())))
        pixels = np.rint(255 * np.clip(picture, 0, 1)).astype(np.uint8)
        path = SAMPLES / f"{name}.jpg"
        Image.fromarray(pixels).save(path, quality=86, subsampling="4:4:4", optimize=True)
        print(f"{path.name}: {path.stat().st_size // 1024} KB")


if __name__ == "__main__":
    main(sys.argv[1:])
