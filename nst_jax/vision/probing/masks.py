"""Boxes that mark the same object parts in several pictures, read from a JSON file.

    {"sample:astronaut": {"crop": [170, 55, 280, 165], "nose": [212, 108, 238, 133]}, "cat.jpg": {...}}

Boxes are [x0, y0, x1, y1] in pixels of the picture; x1 and y1 are exclusive. `crop` is the square that the
network sees, by default the largest centred one. Paths are relative to the folder of the JSON file.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float32

from nst_jax import images
from nst_jax.errors import UserError
from nst_jax.images.samples import SAMPLE_PREFIX
from nst_jax.images.streams import Box
from nst_jax.vision.deconvnet import MID_GRAY
from nst_jax.vision.framing import framed, middle

CROP, RANDOM = "crop", "random"


class Marked(NamedTuple):
    """A picture as the network sees it, with the boxes of its parts in pixels of this picture."""

    name: str
    picture: Float32[np.ndarray, "1 s s 3"]
    parts: dict[str, Box]


def read_masks(path: str, size: int) -> list[Marked]:
    """Read the marked pictures of a file, resized to `size` pixels; all have the same parts in one order.

    Raises:
        UserError: the file or a picture cannot be read, there are fewer than two pictures, a picture lacks a
            part, or a box lies outside its picture.
    """
    boxes = _boxes(path)
    if len(boxes) < 2:
        raise UserError(f"{path}: {len(boxes)} pictures; correspondence requires at least two")
    parts = list(dict.fromkeys(part for marks in boxes.values() for part in marks if part != CROP))
    for name, marks in boxes.items():
        if missing := [part for part in parts if part not in marks]:
            raise UserError(
                f"{path}: {name} lacks {', '.join(missing)}; every picture needs {', '.join(parts)}"
            )
    if not parts:
        raise UserError(f'{path}: no parts are marked; add boxes such as "nose": [x0, y0, x1, y1]')
    return [_marked(path, name, marks, parts, size) for name, marks in boxes.items()]


def masked(marked: Marked, box: Box) -> Float32[np.ndarray, "1 s s 3"]:
    """Return the picture with `box` filled with gray."""
    x0, y0, x1, y1 = box
    # Other boxes are masked in the same picture.
    picture = marked.picture.copy()
    picture[:, y0:y1, x0:x1] = MID_GRAY
    return picture


def anywhere(marked: Marked, rng: np.random.Generator) -> Box:
    """Return a box at a random position of the picture, with the mean width and height of its parts."""
    x0, y0, x1, y1 = np.mean(list(marked.parts.values()), axis=0)
    width, height, side = round(x1 - x0), round(y1 - y0), marked.picture.shape[1]
    left, top = (int(rng.integers(side - length, endpoint=True)) for length in (width, height))
    return left, top, left + width, top + height


def _boxes(path: str) -> dict[str, dict[str, Box]]:
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from error
    except ValueError as error:
        raise UserError(f"{path}: not JSON: {error}") from error
    if not isinstance(content, dict) or not all(isinstance(value, dict) for value in content.values()):
        raise UserError(f'{path}: expected {{"picture": {{"part": [x0, y0, x1, y1], ...}}, ...}}')
    return {
        name: {part: _box(path, name, part, value) for part, value in marks.items()}
        for name, marks in content.items()
    }


def _box(path: str, name: str, part: str, value: Any) -> Box:
    if part == RANDOM:
        raise UserError(f"{path}: {name}: {RANDOM} is a reserved name, for random masks; rename the part")
    if not isinstance(value, list) or len(value) != 4 or not all(type(number) is int for number in value):
        raise UserError(f"{path}: {name}: {part} is {value!r}, not four whole numbers [x0, y0, x1, y1]")
    x0, y0, x1, y1 = value
    if not (x0 < x1 and y0 < y1):
        raise UserError(f"{path}: {name}: {part} {value} is empty; it requires x0 < x1 and y0 < y1")
    return x0, y0, x1, y1


def _marked(path: str, name: str, boxes: Mapping[str, Box], parts: Sequence[str], size: int) -> Marked:
    source = name if name.startswith(SAMPLE_PREFIX) else str(Path(path).parent / Path(name).expanduser())
    picture = images.read(source)
    height, width = picture.shape[1:3]
    crop = boxes.get(CROP, middle(height, width))
    _check_inside(f"{path}: {name}: {CROP}", crop, (0, 0, width, height), "the picture")
    if crop[2] - crop[0] != crop[3] - crop[1]:
        raise UserError(f"{path}: {name}: {CROP} {list(crop)} is not a square")
    for part in parts:
        _check_inside(f"{path}: {name}: {part}", boxes[part], crop, f"the {CROP}")
    return Marked(
        name, framed(picture, crop, size), {part: _scaled(boxes[part], crop, size) for part in parts}
    )


def _check_inside(what: str, box: Box, around: Box, of: str) -> None:
    if box[0] < around[0] or box[1] < around[1] or box[2] > around[2] or box[3] > around[3]:
        raise UserError(f"{what} {list(box)} is not inside {of} {list(around)}")


def _scaled(box: Box, crop: Box, size: int) -> Box:
    """Return `box` in pixels of the resized `crop`; it is at least one pixel wide and high."""
    scale = size / (crop[2] - crop[0])
    x0, y0 = (int((box[axis] - crop[axis]) * scale) for axis in (0, 1))
    # A part of less than a pixel would mask nothing.
    x1, y1 = (
        max(start + 1, round((box[axis] - crop[axis - 2]) * scale)) for axis, start in ((2, x0), (3, y0))
    )
    return x0, y0, x1, y1
