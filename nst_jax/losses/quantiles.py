"""Squared Wasserstein distances on a line: sorted values compared rank by rank.

Rows of values are independent of each other. If the positions have weights, the ranks become levels: shares
of the total weight.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float, Int

# Rows that are sorted at the same time: few enough for the caches of a CPU.
ROWS_TOGETHER = 4
SMALLEST = 1e-30  # for weights that are all 0


def quantiles(
    values: Float[Array, "d k"], weights: Float[Array, "k"] | None, count: int
) -> Float[Array, "d {count}"]:
    """Return `count` quantiles of each row, at the middles of equal shares, interpolated linearly."""
    if weights is None:
        size = values.shape[1]
        # On the host, in float64: a large row has more ranks than float32 tells apart.
        position = np.clip((np.arange(count) + 0.5) / count * size - 0.5, 0, size - 1)
        below = np.floor(position).astype(np.int32)
        share = (position - below).astype(np.float32)
        ranked = _values(lax.sort(_keys(values)))
        return ranked[:, below] * (1 - share) + ranked[:, np.minimum(below + 1, size - 1)] * share
    wanted = (jnp.arange(count) + 0.5) / count

    def row(values: Array) -> Array:
        # Values without weight must not serve as ends to interpolate to: they come last, as the largest of
        # the others.
        keys = jnp.where(weights > 0, _keys(values), jnp.iinfo(jnp.int32).max)
        keys, ranked_weights = lax.sort((keys, weights), num_keys=1)
        largest = jnp.max(jnp.where(weights > 0, values, -jnp.inf))
        return jnp.interp(
            wanted, _levels(ranked_weights), jnp.where(ranked_weights > 0, _values(keys), largest)
        )

    return lax.map(row, values)


@jax.custom_vjp
def quantile_distance(
    values: Float[Array, "d m"], weights: Float[Array, "m"] | None, target: Float[Array, "d m"]
) -> Float[Array, ""]:
    """Return the squared Wasserstein distance of the rows to those with the quantiles `target`, on average.

    `weights` of the values have a mean of 1, or are all 0. In the gradient, which is with respect to the
    values, ranks are constant. Equal values are all drawn to the mean of the quantiles that they share.
    """
    return _distance_and_gradient(values, weights, target)[0]


def _distance_and_gradient(values: Array, weights: Array | None, target: Array) -> tuple[Array, Array]:
    scale = 1 / values.size

    def row(values_and_target: tuple[Array, Array]) -> tuple[Array, Array]:
        return _row(*values_and_target, weights)

    squares, gradients = lax.map(row, (values, target), batch_size=ROWS_TOGETHER)
    return scale * jnp.sum(squares), 2 * scale * gradients


def _row(values: Array, target: Array, weights: Array | None) -> tuple[Array, Array]:
    """The weighted sum of squared differences of one row from its quantiles, and half its gradient."""
    keys = _keys(values)
    # XLA sorts single integers on a CPU six times faster than floats, or than pairs; searching the ranks
    # afterwards costs less than sorting indices along.
    if weights is None:
        ranked, ranked_weights = lax.sort(keys), jnp.ones_like(values)
    else:
        ranked, ranked_weights = lax.sort((keys, weights), num_keys=1)
        positions = jnp.clip(_levels(ranked_weights) * len(target) - 0.5, 0, len(target) - 1)
        target = jnp.interp(positions, jnp.arange(len(target), dtype=target.dtype), target)
    differences = _values(ranked) - target
    rank = jnp.searchsorted(ranked, keys, method="scan")
    pulls = _mean_of_ties(ranked, differences, ranked_weights)[rank]
    square = jnp.sum(ranked_weights * jnp.square(differences))
    return square, pulls if weights is None else weights * pulls


def _mean_of_ties(ranked: Int[Array, "m"], entries: Float[Array, "m"], weights: Float[Array, "m"]) -> Array:
    """Entries that belong to equal values are replaced by their weighted mean, at the first of them."""
    last = jnp.append(ranked[1:] != ranked[:-1], True)
    end = lax.cummin(jnp.where(last, jnp.arange(1, len(ranked) + 1), len(ranked)), reverse=True)
    sums, total = (jnp.pad(jnp.cumsum(x), (1, 0)) for x in (weights * entries, weights))
    means = (sums[end] - sums[:-1]) / jnp.maximum(total[end] - total[:-1], SMALLEST)
    return jnp.where(last, entries, means)  # exact where there is nothing to average


def _levels(ranked_weights: Float[Array, "m"]) -> Float[Array, "m"]:
    """The share of the weight below each rank, plus half its own."""
    through = jnp.cumsum(ranked_weights)
    return (through - 0.5 * ranked_weights) / jnp.maximum(through[-1], SMALLEST)


def _keys(values: Float[Array, "..."]) -> Int[Array, "..."]:
    """Integers in the order of the values."""
    bits = lax.bitcast_convert_type(values, jnp.int32)
    # Floats are stored by sign and magnitude: below 0, the order of the magnitudes is reversed.
    return jnp.where(bits < 0, bits ^ 0x7FFFFFFF, bits)


def _values(keys: Int[Array, "..."]) -> Float[Array, "..."]:
    """The inverse of `_keys`."""
    return lax.bitcast_convert_type(jnp.where(keys < 0, keys ^ 0x7FFFFFFF, keys), jnp.float32)


quantile_distance.defvjp(
    _distance_and_gradient, lambda gradient, cotangent: (cotangent * gradient, None, None)
)
