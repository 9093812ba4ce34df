"""Style losses by name. To add one, write it in a file of its own and list it in `STYLE_LOSSES`."""

from collections.abc import Callable
from typing import Any, NamedTuple

from jaxtyping import Array, Float

from nst_jax.losses.gram import gram, gram_distance


class StyleLoss(NamedTuple):
    """A statistic of a layer's activations, and a distance between two such statistics.

    `statistic(F, positions)` maps activations F, "1 h w n", to a pytree of arrays; F may be a tile,
    `positions` is the number of positions of the whole layer. `distance(statistic, target)` is a scalar,
    differentiable with respect to the statistic. A statistic is `additive` if it is a sum over positions,
    divided by `positions`, of terms that are 0 where F is 0. Tiling requires this: the statistics of the
    tiles then sum to that of the whole layer.
    """

    statistic: Callable[[Float[Array, "1 h w n"], int], Any]
    distance: Callable[[Any, Any], Float[Array, ""]]
    additive: bool


STYLE_LOSSES = {
    "gram": StyleLoss(gram, gram_distance, additive=True),
}
