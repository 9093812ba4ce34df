"""The loss curves of a run for pages: thinned out, and ready for JSON; templates/curves.js draws them."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from nst_jax.config import Config
from nst_jax.runs.metrics import POSITION


def loss_curves(config: Config, lines: Sequence[Mapping[str, Any]], most: int) -> dict[str, Any]:
    """Return the curves of all loss terms in lines of metrics.jsonl, with `most` evenly spaced points.

    `across` holds the positions of these points, `terms` the value of each term at them, to five digits and
    None where it is missing or not finite, and `stages` the points at which a new scale begins. `off` names
    the terms that are not drawn at first: those of single layers, and a total variation of no weight.
    """
    every = max(1, math.ceil(len(lines) / most))
    chosen = [line for index, line in enumerate(lines) if index % every == 0 or index == len(lines) - 1]
    names = dict.fromkeys(name for line in chosen for name in line if name not in POSITION)
    return {
        "across": {name: [line[name] for line in chosen] for name in ("step", "evaluations", "seconds")},
        "stages": [
            {"at": index, "scale": line["scale"]}
            for index, line in enumerate(chosen)
            if index and line["scale"] != chosen[index - 1]["scale"]
        ],
        "off": [name for name in names if "/" in name or (name == "tv" and not config.tv_weight)],
        "terms": {name: [_rounded(line.get(name)) for line in chosen] for name in names},
    }


def _rounded(value: float | None) -> float | None:
    return float(f"{value:.5g}") if value is not None and math.isfinite(value) else None
