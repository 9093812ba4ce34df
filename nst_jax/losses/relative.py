"""Relative losses: each is divided by its value for a picture that excites no filter.

That value is the size of the target: half of |P|^2 for the content, |A|^2 / (4 N^2) for Gram matrices, and
the mean square of a filter for `w2`. Relative losses are pure numbers, 1 for such a picture and 0 for a
perfect one, so that one set of weights serves networks and sizes whose losses differ by orders of magnitude.
"""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from nst_jax.losses.content import CONTENT_LOSSES
from nst_jax.losses.style import STYLE_LOSSES

SMALLEST = 1e-30  # the size of a target of zeros, by which its loss of 0 can be divided


def content_size(target: Float[Array, "1 h w n"], content_loss: str, positions: int) -> Float[Array, ""]:
    """The size of a layer's content target of so many `positions`; the loss is one of `CONTENT_LOSSES`."""
    return jnp.maximum(CONTENT_LOSSES[content_loss](jnp.zeros_like(target), target, positions), SMALLEST)


def style_sizes(
    targets: Mapping[str, Mapping[str, Any]],
    activations: jax.ShapeDtypeStruct,
    guides: Mapping[str, jax.ShapeDtypeStruct | None],
    shares: Mapping[str, float],
) -> dict[str, Float[Array, ""]]:
    """The size of a layer's style target by loss: an average over regions, weighted by their `shares`.

    `targets` are by region and loss. `activations` and `guides`, by region, are shapes, for the result.
    """
    positions = activations.shape[1] * activations.shape[2]
    sizes: dict[str, Array] = {}
    for region, by_loss in targets.items():
        for name, target in by_loss.items():
            loss = STYLE_LOSSES[name]
            shapes = jax.eval_shape(
                lambda F, T, loss=loss: loss.statistic(F, positions, T), activations, guides[region]
            )
            nothing = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)
            sizes[name] = sizes.get(name, jnp.zeros(())) + shares[region] * loss.distance(nothing, target)
    return {name: jnp.maximum(size, SMALLEST) for name, size in sizes.items()}
