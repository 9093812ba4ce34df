"""Cells of a sweep from flags: combinations of values, values in step, random samples, seeds."""

import ast
import itertools
import math
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from nst_jax.config import Config
from nst_jax.config.fields import hint_of
from nst_jax.errors import UserError
from nst_jax.images.folders import FOLDER
from nst_jax.sweeps.picture_folders import PICTURE_FIELDS, pictures_in
from nst_jax.sweeps.plan import Cell, label

DIGITS = 4  # significant digits of a number that is drawn, so that it can be typed again
MOST_MISSES = 1000  # draws in a row that have occurred before, after which there are taken to be no others


class Range(NamedTuple):
    """Numbers to draw from, uniformly or with `log` in their logarithm; integers if both ends are."""

    low: int | float
    high: int | float
    log: bool = False

    def draw(self, random: np.random.Generator) -> int | float:
        """Draw a number."""
        whole = isinstance(self.low, int) and isinstance(self.high, int)
        if whole and not self.log:
            return int(random.integers(int(self.low), int(self.high) + 1))
        ends = (math.log(self.low), math.log(self.high)) if self.log else (self.low, self.high)
        drawn = random.uniform(*ends)
        value = math.exp(drawn) if self.log else drawn
        return round(value) if whole else float(f"{value:.{DIGITS}g}")


Axis = tuple[str, Sequence[Any] | Range]


class Labelled(NamedTuple):
    """A value of a field."""

    name: str
    label: str
    value: Any


def read_axes(flag: str, texts: Iterable[str]) -> list[Axis]:
    """Return the fields and values of flags of the form `field=value,value` or `field=LOW..HIGH`.

    Raises:
        UserError: one has another form; the message names the `flag`.
    """
    return [_axis(flag, text) for text in texts]


def combined(
    cells: Sequence[Cell],
    vary: Sequence[Axis] = (),
    in_step: Sequence[Axis] = (),
    sample: int = 0,
    seeds: range = range(0),
) -> list[Cell]:
    """Return the product of `cells` with all axes of `vary`, or a `sample` of them, and with the `seeds`.

    The axes `in_step` advance together.

    Raises:
        UserError: a field is given twice, or see the functions below.
    """
    names = [name for name, _ in (*vary, *in_step)] + ["seed"] * bool(seeds)
    names += {name for _, fields in cells for name in fields if name == "seed"} if seeds else ()
    if twice := [name for name in names if names.count(name) > 1]:
        raise UserError(f"--vary, --zip, --seeds: {twice[0]} is given twice; list all its values in one flag")
    if sample and not vary:
        raise UserError(
            "--sample: draws values of --vary, which is missing; e.g. --vary=content_weight=log:0.01..10"
        )
    drawn = sampled_cells(cells, vary, sample) if sample else combine(cells, vary)
    return combine(zipped(drawn, in_step), [("seed", seeds)] if seeds else [])


def combine(cells: Sequence[Cell], axes: Sequence[Axis]) -> list[Cell]:
    """Return the product of `cells` with the values of each axis.

    `content=folder:PATH` and `style=folder:PATH` stand for all pictures in a folder.

    Raises:
        UserError: an axis is a range, or a folder has no pictures.
    """
    return _product(cells, [[(item,) for item in _values(axis)] for axis in axes])


def zipped(cells: Sequence[Cell], axes: Sequence[Axis]) -> list[Cell]:
    """Return the product of `cells` with the first values of all axes, the second values, and so on.

    Raises:
        UserError: the axes differ in the number of their values, or see `combine`.
    """
    found = [_values(axis) for axis in axes]
    if len({len(values) for values in found}) > 1:
        counts = ", ".join(f"{name} {len(values)}" for (name, _), values in zip(axes, found, strict=True))
        raise UserError(f"--zip: fields have different numbers of values: {counts}")
    return _product(cells, [list(zip(*found, strict=True))] if found else [])


def sampled_cells(cells: Sequence[Cell], axes: Sequence[Axis], count: int, seed: int = 0) -> list[Cell]:
    """Return the product of `cells` with `count` different random draws of a value from each axis.

    Raises:
        UserError: there are fewer different draws, or a folder has no pictures.
    """
    random, drawn = np.random.default_rng(seed), dict[tuple[str, ...], tuple[Labelled, ...]]()
    if not any(isinstance(values, Range) for _, values in axes):
        every = list(itertools.product(*map(_values, axes)))
        if count > len(every):
            raise UserError(f"--sample: {count} is more than the {len(every)} combinations of --vary")
        return _product(cells, [[every[i] for i in random.choice(len(every), count, replace=False)]])
    choices = [axis if isinstance(axis[1], Range) else _values(axis) for axis in axes]
    misses = 0
    while len(drawn) < count and misses < MOST_MISSES:
        items = tuple(_drawn(random, choice) for choice in choices)
        labels = tuple(item.label for item in items)
        misses = misses + 1 if labels in drawn else 0
        drawn[labels] = items
    if len(drawn) < count:
        raise UserError(f"--sample: {count} is more than the {len(drawn)} different combinations of --vary")
    return _product(cells, [list(drawn.values())])


def _product(cells: Sequence[Cell], axes: Sequence[Sequence[tuple[Labelled, ...]]]) -> list[Cell]:
    """Return the product of `cells` with all `axes`, whose items are values of one or more fields."""
    return [
        (
            (*labels, *(one.label for item in items for one in item)),
            fields | {one.name: one.value for item in items for one in item},
        )
        for labels, fields in cells
        for items in itertools.product(*axes)
    ]


def _values(axis: Axis) -> list[Labelled]:
    name, values = axis
    if isinstance(values, Range):
        raise UserError(f"--vary: {name}: draws from a range require --sample=N")
    found = []
    for value in values:
        if name in PICTURE_FIELDS and str(value).startswith(FOLDER):
            found += [Labelled(name, text, path) for text, path in pictures_in(name, str(value))]
        else:
            found.append(Labelled(name, f"{name}={label(value)}", value))
    return found


def _drawn(random: np.random.Generator, choice: Axis | Sequence[Labelled]) -> Labelled:
    if isinstance(choice, tuple):
        name, of = choice
        value = of.draw(random)
        return Labelled(name, f"{name}={label(value)}", value)
    return choice[int(random.integers(len(choice)))]


_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_RANGE = re.compile(rf"(log:)?({_NUMBER})\.\.({_NUMBER})")


def _axis(flag: str, given: str) -> Axis:
    name, equals, text = given.partition("=")
    # Commas inside brackets belong to a value: scales=(0.5,1.0),(1.0,)
    values = [value for value in re.split(r",(?![^(\[{]*[)\]}])", text) if value]
    if not (name and equals and values):
        raise UserError(f"{flag}: {given!r} is not field=value,value; e.g. {flag}=seed=0,1,2")
    if hint_of(Config, name) is str:
        return name, _with_whole_paths(text.split(","))
    if matched := _RANGE.fullmatch(text):
        return name, _range(name, *matched.groups())
    return name, [_literal(value) for value in values]


def _range(name: str, log: str | None, low: str, high: str) -> Range:
    number = float if hint_of(Config, name) is float else ast.literal_eval
    found = Range(number(low), number(high), bool(log))
    if not found.low < found.high or (log and found.low <= 0):
        positive = " positive" if log else ""
        raise UserError(f"--vary: {name}: {low}..{high} are not two ascending{positive} numbers")
    return found


def _with_whole_paths(parts: Sequence[str]) -> list[str]:
    """Join `parts` of text that was split at commas if they are the path of a file or folder; drop quotes."""
    values, first = [], 0
    while first < len(parts):
        candidates = [",".join(parts[first:end]) for end in range(len(parts), first, -1)]
        paths = [path for path in candidates[:-1] if path]
        there = (path for path in paths if Path(path.removeprefix(FOLDER)).expanduser().exists())
        value = next(there, candidates[-1])
        values.append(value)
        first += value.count(",") + 1
    return [re.sub(r"""^(['"])(.*)\1$""", r"\2", value) for value in values if value]


def _literal(text: str) -> Any:
    """Parse `text` as a Python literal, or as `true` or `false`; any other text is returned unchanged."""
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
