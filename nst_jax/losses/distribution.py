"""Distributions of activations, for losses that need all positions of a layer at once."""

from collections.abc import Sequence
from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float


class Distribution(NamedTuple):
    """Points, one a row, and their weights, at least 0; None if all count alike."""

    points: Float[Array, "m n"]
    weights: Float[Array, "m"] | None


def distribution(
    F: Float[Array, "1 h w n"], positions: int | None = None, guide: Float[Array, "1 h w 1"] | None = None
) -> Distribution:
    """Return the activations of all positions; with a `guide` T, positions are weighted by T^2.

    F must be a whole layer, not a tile.
    """
    del positions
    weights = None if guide is None else jnp.square(guide).reshape(-1)
    return Distribution(F.reshape(-1, F.shape[-1]), weights)


def pooled(distributions: Sequence[Distribution], shares: Sequence[float]) -> Distribution:
    """Return the mixture of `distributions` by their `shares`."""
    if len(distributions) == 1:
        return distributions[0]
    weights = []
    for one, share in zip(distributions, shares, strict=True):
        alike = jnp.ones(len(one.points)) if one.weights is None else one.weights
        weights.append(share * alike / jnp.sum(alike))
    total = sum(len(one.points) for one in distributions)
    return Distribution(
        jnp.concatenate([one.points for one in distributions]), total * jnp.concatenate(weights)
    )
