"""Means over runs of a sweep that differ only in their seed, with confidence intervals."""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nst_jax.config import flat
from nst_jax.sweeps.plan import Run, swept

CONFIDENCE = 0.95


def seed_rows(runs: Sequence[Run], rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return a row for each setting that was painted with several seeds: the mean of each number in `rows`.

    `NAME +-` is half the width of the mean's 95 % confidence interval, by Student's t distribution: it holds
    for numbers that are normally distributed over seeds. `rows` has a row for each run.
    """
    fields = [name for name in swept(runs) if name != "seed"]
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for run, row in zip(runs, rows, strict=True):
        setting = {name: value for name, value in flat(run.config).items() if name != "seed"}
        groups.setdefault(json.dumps(setting, sort_keys=True), []).append(row)
    return [_mean(fields, group) for group in groups.values() if len(group) > 1]


def _mean(fields: Sequence[str], group: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    row = {**{name: group[0][name] for name in fields}, "seeds": len(group)}
    for name, value in group[0].items():
        numbers = [each[name] for each in group if name in each]
        if name in (*fields, "seed") or not isinstance(value, float) or len(numbers) < len(group):
            continue
        row[name] = float(np.mean(numbers))
        row[f"{name} +-"] = half_width(numbers)
    return row


def half_width(numbers: Sequence[float]) -> float:
    """Return half the width of the confidence interval of the mean of at least two numbers."""
    from scipy import stats  # half a second, which only such tables are worth

    deviation = float(np.std(numbers, ddof=1))
    quantile = float(stats.t.ppf((1 + CONFIDENCE) / 2, len(numbers) - 1))
    return quantile * deviation / math.sqrt(len(numbers))
