"""Painting tools for `paint_samples.py`: noise, palettes, strokes with bristles, and relief.

A picture here is float, "h w 3", in [0, 1]; a field is "h w"; points are (x, y) in pixels.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from PIL import Image, ImageDraw
from scipy.ndimage import fourier_gaussian, gaussian_filter, map_coordinates
from scipy.spatial import cKDTree

Field = Float[np.ndarray, "h w"]
Picture = Float[np.ndarray, "h w 3"]
Points = Float[np.ndarray, "*n 2"]

SUPERSAMPLING = 2
_LIGHT = np.array([-0.6, -0.8])  # from the upper left


@dataclass(frozen=True)
class Layer:
    """One pass over the canvas, with strokes of one size, in pixels of the finished picture."""

    width: float
    length: float
    coverage: float  # total area of all strokes relative to the canvas
    colour_spread: float = 0.1  # variation of the strokes' colours around the subject's
    bristle_contrast: float = 0.12


def grid(height: int, width: int) -> tuple[Field, Field]:
    """Return the fields x in [0, width/height] and y in [0, 1], in units of the picture's height."""
    y, x = np.mgrid[0:height, 0:width] / height
    return x, y


def clouds(shape: tuple[int, int], size: float, rng: np.random.Generator, octaves: int = 4) -> Field:
    """Return fractal noise in [0, 1] whose largest features are about `size` pixels."""
    total = np.zeros(shape)
    for octave in range(octaves):
        layer = fourier_gaussian(np.fft.rfft2(rng.standard_normal(shape)), size / 2**octave, shape[1])
        values = np.fft.irfft2(layer, shape)
        total += values / values.std() / 1.8**octave
    return (total - total.min()) / np.ptp(total)


def palette(values: Field, colours: Sequence[str]) -> Picture:
    """Map values in [0, 1] to evenly spaced colours ('#rrggbb'), interpolated linearly."""
    stops = np.array([[int(c[i : i + 2], 16) / 255 for i in (1, 3, 5)] for c in colours])
    at = np.linspace(0, 1, len(colours))
    return np.stack([np.interp(values, at, stops[:, c]) for c in range(3)], axis=-1)


def mix(below: Picture, above: Picture, amount: Field) -> Picture:
    """Blend `above` over `below`, with opacity `amount`."""
    weight = np.clip(amount, 0, 1)[..., np.newaxis]
    return below * (1 - weight) + above * weight


def smoothstep(values: Field, low: float, high: float) -> Field:
    """Return 0 below `low`, 1 above `high`, and a smooth S-shaped transition in between."""
    t = np.clip((values - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def sample(field: np.ndarray, points: Points) -> np.ndarray:
    """Sample the field at each point; points outside take the value of the nearest border pixel."""
    x = np.clip(points[..., 0], 0, field.shape[1] - 1).astype(int)
    y = np.clip(points[..., 1], 0, field.shape[0] - 1).astype(int)
    return field[y, x]


def along(angle: Field, starts: Points, length: np.ndarray, steps: int = 12) -> Float[np.ndarray, "n t 2"]:
    """Return paths of the given length that follow the field of angles, centred at `starts`."""
    stride = length / steps
    halves = []
    for sign in (-1, 1):
        at, path = starts, [starts]
        for _ in range(steps // 2):
            a = sample(angle, at)
            at = at + sign * stride * np.stack([np.cos(a), np.sin(a)], axis=-1)
            path.append(at)
        halves.append(np.stack(path, axis=1))
    return np.concatenate([halves[0][:, :0:-1], halves[1]], axis=1)


def along_levels(field: Field) -> Field:
    """Return the angle of the field's level lines."""
    slope_y, slope_x = np.gradient(field)
    return np.arctan2(-slope_x, slope_y)


def paint(
    subject: Picture, angle: Field, layers: Sequence[Layer], rng: np.random.Generator, relief: float
) -> Picture:
    """Paint the subject with layers of thick strokes along `angle`, and light their relief from the side."""
    height, width = subject.shape[:2]
    size = (width * SUPERSAMPLING, height * SUPERSAMPLING)
    under = Image.fromarray(np.uint8(subject * 160)).resize(size)
    under.putalpha(100)  # the alpha channel holds the height of the paint
    draw = ImageDraw.Draw(under)
    for layer in layers:
        count = int(layer.coverage * height * width / (layer.width * layer.length))
        starts = rng.uniform(0, 1, (count, 2)) * [width, height]
        lengths = layer.length * rng.uniform(0.6, 1.4, (count, 1))
        paths = along(angle, starts, lengths)
        colours = _broken_colours(subject, starts, layer, rng)
        for path, colour in zip(paths, colours, strict=True):
            _stroke(draw, path, colour, layer, rng)
    pixels = np.asarray(under.reduce(SUPERSAMPLING), np.float64) / 255
    return lit(pixels[..., :3], pixels[..., 3], relief)


def _broken_colours(
    subject: Picture, starts: Points, layer: Layer, rng: np.random.Generator
) -> Float[np.ndarray, "n 3"]:
    """Return the subject's colours at the strokes, with random variation in brightness and warmth."""
    nearby = starts + rng.normal(0, layer.width, starts.shape)
    colours = sample(subject, nearby)
    value = np.exp(rng.normal(0, 1.3 * layer.colour_spread, (len(starts), 1)))
    warmth = rng.normal(0, 0.5 * layer.colour_spread, (len(starts), 1)) * [1.0, 0.2, -1.0]
    return np.clip(colours * value + warmth, 0, 1)


def _stroke(
    draw: ImageDraw.ImageDraw,
    path: Float[np.ndarray, "t 2"],
    colour: Float[np.ndarray, "3"],
    layer: Layer,
    rng: np.random.Generator,
) -> None:
    """Draw one stroke: parallel bristles, each with its own start, end, shade and height."""
    bristles = max(3, round(layer.width / 1.1))
    tangent = np.gradient(path, axis=0)
    normal = tangent[:, ::-1] * [-1, 1] / (np.linalg.norm(tangent, axis=1, keepdims=True) + 1e-9)
    offsets = np.linspace(-0.5, 0.5, bristles)
    taper = np.sqrt(np.sin(np.linspace(0.25, np.pi - 0.15, len(path))))[:, np.newaxis]
    shades = gaussian_filter(rng.normal(0, 1, bristles), 0.6) * layer.bristle_contrast * 1.5
    ends = np.abs(offsets) * 4 + rng.uniform(0, 1.5, bristles)
    for offset, shade, end in zip(offsets, shades, ends, strict=True):
        line = (path + normal * taper * offset * layer.width) * SUPERSAMPLING
        line = line[int(end) : len(line) - int(end * rng.uniform(0.3, 1))]
        height = 120 + 300 * shade + 110 * abs(offset)  # paint is pushed to the edges of the stroke
        rgb = np.clip(colour * (1 + shade) + 0.12 * shade, 0, 1) * 255
        fill = (*(int(c) for c in rgb), int(np.clip(height, 0, 255)))
        draw.line([tuple(p) for p in line], fill=fill, width=round(1.7 * SUPERSAMPLING))


def ink(
    shape: tuple[int, int],
    strokes: Sequence[tuple[Points, float, float]],
    rng: np.random.Generator,
) -> Field:
    """Return the darkness that strokes of a half-dry brush, (path, width, darkness), leave on paper."""
    canvas = Image.new("L", (shape[1], shape[0]))
    draw = ImageDraw.Draw(canvas)
    for path, width, darkness in sorted(strokes, key=lambda stroke: stroke[2]):
        normal = np.gradient(path, axis=0)[:, ::-1] * [-1, 1]
        normal /= np.linalg.norm(normal, axis=1, keepdims=True) + 1e-9
        pressure = np.sin(np.linspace(0.35, np.pi, len(path)))[:, np.newaxis]
        for offset in np.linspace(-0.5, 0.5, max(2, round(width / 2))):
            line = path + normal * pressure * offset * width
            line = line[: max(2, round(len(line) * rng.uniform(0.7, 1.1)))]
            tone = int(255 * np.clip(darkness * rng.uniform(0.6, 1.1), 0, 1))
            draw.line([tuple(p) for p in line], fill=tone, width=2)
    return gaussian_filter(np.asarray(canvas, np.float64) / 255, 0.8)


def lit(colours: Picture, height: Field, strength: float) -> Picture:
    """Shade the colours as a relief of the given height, lit from the upper left."""
    smooth = gaussian_filter(height, 0.6)
    slope_y, slope_x = np.gradient(smooth)
    shade = strength * (slope_x * _LIGHT[0] + slope_y * _LIGHT[1]) * -1
    shade = np.tanh(shade)[..., np.newaxis]
    return np.clip(colours * (1 + 0.8 * shade) + 0.25 * np.maximum(shade, 0) ** 2, 0, 1)


def cells(seeds: Points, x: Field, y: Field) -> tuple[np.ndarray, Field]:
    """Return the nearest seed of each pixel, and twice the pixel's distance from the border of its cell."""
    distance, index = cKDTree(seeds).query(np.stack([x, y], axis=-1), k=2)
    apart = np.linalg.norm(seeds[index[..., 0]] - seeds[index[..., 1]], axis=-1)
    return index[..., 0], (distance[..., 1] ** 2 - distance[..., 0] ** 2) / apart


def halved(picture: Picture) -> Picture:
    """Return the picture at half its size; every 2 x 2 pixels are averaged."""
    height, width = picture.shape[0] // 2, picture.shape[1] // 2
    return picture.reshape(height, 2, width, 2, 3).mean(axis=(1, 3))


def warped(picture: np.ndarray, dx: Field, dy: Field) -> np.ndarray:
    """Displace the picture or field by (dx, dy) pixels, with bilinear interpolation."""
    y, x = np.mgrid[0 : picture.shape[0], 0 : picture.shape[1]].astype(float)
    planes = picture.reshape(*picture.shape[:2], -1)
    moved = [
        map_coordinates(planes[..., c], [y + dy, x + dx], order=1, mode="reflect")
        for c in range(planes.shape[-1])
    ]
    return np.stack(moved, axis=-1).reshape(picture.shape)
