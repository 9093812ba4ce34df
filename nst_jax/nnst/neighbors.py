"""The nearest style features by centred cosine distance.

Kolkin et al. 2022 (arXiv 2203.13215), section 3.2: each set of features is centred by its own mean before
cosines are taken. The matrix of distances is computed in parts.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Int

# Entries of a part of the matrix. On a CPU, 4 MiB stay in the cache: a search is three times as fast.
PAIRS_TOGETHER = {"cpu": 1 << 20}
PAIRS_ON_ACCELERATORS = 1 << 26
SMALLEST = 1e-8  # of a squared length


class Nearest(NamedTuple):
    """The best match found so far for each of m features."""

    similarity: Float[Array, "m"]  # the cosine, but for the length of the feature itself
    columns: Float[Array, "m n"]  # of the style, not centred


def nothing_found(like: Float[Array, "m n"]) -> Nearest:
    """Return the state before the first search."""
    return Nearest(jnp.full(len(like), -jnp.inf), jnp.zeros_like(like))


def improved(
    found: Nearest,
    wanted: Float[Array, "m n"],
    style: Float[Array, "k n"],
    style_mean: Float[Array, "n"],
) -> Nearest:
    """Return the better match of `found` and those in `style`, a part of the style with mean `style_mean`.

    `wanted` is centred already.
    """
    similarity, index = most_alike(wanted, style, style_mean)
    better = similarity > found.similarity
    columns = jnp.where(better[:, jnp.newaxis], style[index], found.columns)
    return Nearest(jnp.where(better, similarity, found.similarity), columns)


def most_alike(
    wanted: Float[Array, "m n"], style: Float[Array, "k n"], style_mean: Float[Array, "n"]
) -> tuple[Float[Array, "m"], Int[Array, "m"]]:
    """Return the largest cosine with the centred style for each row of `wanted`, and the row of the style.

    The cosine is not divided by the length of the row of `wanted`, which changes no maximum.
    """
    # The style is not centred in place, which would copy it: (s - mean) w = s w - mean w.
    lengths = jnp.sqrt(jnp.maximum(jnp.sum(jnp.square(style - style_mean), axis=1), SMALLEST))

    numbers = jnp.arange(len(style), dtype=jnp.int32)

    def search(row: Array) -> tuple[Array, Array]:
        # HIGHEST: nearest neighbours differ by less than accelerators round by default.
        along = jnp.matmul(style, row, precision=lax.Precision.HIGHEST)
        cosines = (along - jnp.dot(style_mean, row, precision=lax.Precision.HIGHEST)) / lengths
        best = jnp.max(cosines)
        # Two reductions that vectorise; argmax does not on a CPU.
        return best, jnp.min(jnp.where(cosines == best, numbers, len(style) - 1))

    together = max(1, min(len(wanted), pairs_together() // len(style)))
    return lax.map(search, wanted, batch_size=together)


def pairs_together() -> int:
    """Return how many entries of the matrix of distances are computed at a time."""
    return PAIRS_TOGETHER.get(jax.default_backend(), PAIRS_ON_ACCELERATORS)
