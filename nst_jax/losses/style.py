"""Style losses by name. To add one, write it in a file of its own and list it in `STYLE_LOSSES`."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
from jaxtyping import Array, Float

from nst_jax.losses.gram import gram, gram_distance
from nst_jax.losses.sums import guided_mean, mean_distance


def averaged(statistics: Sequence[Any], weights: Sequence[float]) -> Any:
    """The weighted average of statistics of equal shapes."""
    return jax.tree.map(
        lambda *leaves: sum(weight * leaf for weight, leaf in zip(weights, leaves, strict=True)), *statistics
    )


class StyleLoss(NamedTuple):
    """A statistic of a layer's activations, and a distance between two such statistics.

    `statistic(F, positions, guide)` maps activations F, "1 h w n", to a pytree of arrays. F may be a tile;
    `positions` is the number of positions of the whole layer. The guide, "1 h w 1" with a mean square of 1
    over the whole layer, weights the positions; it is None for the whole layer. `distance(statistic, target)`
    is a scalar, differentiable with respect to the statistic. A statistic is `additive` if it is a sum over
    positions, divided by `positions`, of terms that are 0 where F is 0. Tiling requires this: the statistics
    of the tiles then sum to that of the whole layer.

    `blend(targets, weights)` is the target for several styles of one region, whose weights sum to 1.
    """

    statistic: Callable[[Float[Array, "1 h w n"], int, Float[Array, "1 h w 1"] | None], Any]
    distance: Callable[[Any, Any], Float[Array, ""]]
    additive: bool
    blend: Callable[[Sequence[Any], Sequence[float]], Any] = averaged


STYLE_LOSSES = {
    "gram": StyleLoss(gram, gram_distance, additive=True),
    "sums": StyleLoss(guided_mean, mean_distance, additive=True),
}


def layer_statistics(
    F: Float[Array, "1 h w n"],
    positions: int,
    guides: Mapping[str, Float[Array, "1 h w 1"] | None],
    losses: Sequence[str],
) -> dict[str, dict[str, Any]]:
    """The statistics of `losses` for a layer or a tile of it, by region and loss."""
    return {
        region: {name: STYLE_LOSSES[name].statistic(F, positions, guide) for name in losses}
        for region, guide in guides.items()
    }
