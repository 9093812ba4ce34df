"""Comparison of two recipes on the same pairs: intervals by the bootstrap, wins, and a paired test."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

CONFIDENCE = 0.95
RESAMPLES = 10_000


class Versus(NamedTuple):
    """How a recipe does against another one."""

    wins: int  # pairs on which it is better
    pairs: int  # on which they differ
    p: float  # probability of differences at least as clear if neither is better


def mean_interval(values: Sequence[float]) -> tuple[float, float]:
    """Return the percentile interval of the mean at `CONFIDENCE`, by resampling `values` (Efron 1979)."""
    array = np.asarray(values, float)
    chosen = np.random.default_rng(0).integers(len(array), size=(RESAMPLES, len(array)))
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(array[chosen].mean(axis=1), [tail, 1 - tail])
    return float(low), float(high)


def versus(ours: Sequence[float], theirs: Sequence[float], higher_is_better: bool = False) -> Versus:
    """Compare the scores of two recipes pair by pair, by the two-sided signed-rank test (Wilcoxon 1945).

    Pairs with equal scores are left out. The test takes pairs as independent, which those that share a photo
    or a painting are not quite: its p is too small rather than too large.
    """
    from scipy.stats import wilcoxon  # half a second, which only such tables are worth

    gain = np.subtract(ours, theirs) if higher_is_better else np.subtract(theirs, ours)
    gain = gain[gain != 0]
    p = float(wilcoxon(gain).pvalue) if len(gain) else 1.0
    return Versus(int(np.sum(gain > 0)), len(gain), p)
