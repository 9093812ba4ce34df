"""Histograms and quantile patches of single units, from their distributions."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Int

from nst_jax.vision.searching.distributions import NOT_SEEN, Maxima, bin_edges
from nst_jax.vision.searching.top_patches import Patch


class AtQuantile(NamedTuple):
    """A quantile of a unit's maxima over the sampled images, with the patches nearest to it in rank."""

    quantile: float
    activation: float  # value of the quantile, interpolated
    patches: list[Patch]  # strongest first; without images in which the unit does not fire
    above: list[int]  # sampled images whose maximum is not below the quantile, strongest first


def patches_at(
    distribution: Maxima,
    sampled: Int[np.ndarray, "sampled"],
    unit: int,
    quantiles: Sequence[float],
    count: int,
) -> list[AtQuantile]:
    """Return up to `count` patches at each of `quantiles` of the sampled images, as far as they were read."""
    activation, row, column = (np.asarray(part)[:, unit] for part in distribution[1:])
    # Strongest first; of equal activations the earlier image, as in the lists of the strongest.
    order = np.argsort(-activation, kind="stable")[: int((activation > NOT_SEEN).sum())]
    found = []
    for quantile in quantiles if len(order) else ():
        value = float(np.quantile(activation[order], quantile))
        distance = np.abs(np.arange(len(order)) - (1 - quantile) * (len(order) - 1))
        nearest = np.sort(np.argsort(distance, kind="stable")[:count])
        patches = [
            Patch(float(activation[i]), int(sampled[i]), int(row[i]), int(column[i]))
            for i in order[nearest]
            if activation[i] > 0
        ]
        # In float32 like the activations: a value that is one of them counts as reached.
        above = sampled[order[activation[order] >= np.float32(value)]]
        found.append(AtQuantile(quantile, value, patches, above.tolist()))
    return found


def histogram_of(distribution: Maxima, unit: int) -> dict[str, Any]:
    """Return the histogram of a unit from its first to its last bin that is not empty.

    `silent` is the number of images in which the unit does not fire; `counts` has one entry per bin, and
    `edges` one more.
    """
    silent, *counts = np.asarray(distribution.counts)[unit].tolist()
    filled = np.flatnonzero(counts)
    first, end = (int(filled[0]), int(filled[-1]) + 1) if len(filled) else (0, 0)
    edges = bin_edges()[first : end + 1].tolist() if end else []
    return {"silent": silent, "edges": edges, "counts": counts[first:end]}
