"""Units that respond to the same images: the correlation of their maxima over the sampled images."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from nst_jax.vision.searching.distributions import NOT_SEEN

MOST_SIMILAR = 6  # units that are listed for each
FEWEST_IMAGES = 3  # over two images, every correlation is 1 or -1


class SimilarUnit(NamedTuple):
    """A unit of the same layer, and how its maxima correlate with those of another."""

    unit: int
    correlation: float


def similar_units(
    maxima: Float[np.ndarray, "sampled units"], most: int = MOST_SIMILAR
) -> list[list[SimilarUnit]]:
    """Return for each unit up to `most` others with a positive correlation (Pearson's), the highest first.

    Rows of images that were not read are left out. A unit that is equally strong in all images resembles
    none, and over fewer than `FEWEST_IMAGES` none resembles another.
    """
    seen = maxima[maxima[:, 0] > NOT_SEEN].astype(np.float32)
    if len(seen) < FEWEST_IMAGES:
        return [[] for _ in range(maxima.shape[1])]
    deviations = seen - seen.mean(0)
    norms = np.linalg.norm(deviations, axis=0)
    # The deviations of a constant are rounding errors, which would correlate with anything.
    varies = norms > 1e-6 * np.linalg.norm(seen, axis=0)
    deviations = np.where(varies, deviations / np.where(varies, norms, 1), 0)
    correlations = deviations.T @ deviations
    np.fill_diagonal(correlations, 0)  # with itself
    # Stable: of equal correlations, the lower unit comes first.
    nearest = np.argsort(-correlations, axis=1, kind="stable")[:, :most].tolist()
    return [
        [SimilarUnit(other, min(1.0, float(row[other]))) for other in others if row[other] > 0]
        for row, others in zip(correlations, nearest, strict=True)
    ]
