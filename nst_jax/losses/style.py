"""Style losses by name. To add one, write its file and name it in `STYLE_LOSSES`."""

from collections.abc import Callable
from typing import Any, NamedTuple

from jaxtyping import Array, Float

from nst_jax.losses.gram import gram, gram_distance


class StyleLoss(NamedTuple):
    """What a layer's activations say about style, and how two such statements differ.

    `statistic(F, positions)` is a pytree of arrays of activations "1 h w n"; `positions` counts those of the
    whole layer, of which F may be a part. `distance(statistic, target)` is a scalar, differentiable with
    respect to the statistic. An `additive` statistic is a sum over positions of terms that are 0 where F is
    0, divided by `positions`: the parts' statistics add up to the whole's, which is what tiles rely on.
    """

    statistic: Callable[[Float[Array, "1 h w n"], int], Any]
    distance: Callable[[Any, Any], Float[Array, ""]]
    additive: bool


STYLE_LOSSES = {
    "gram": StyleLoss(gram, gram_distance, additive=True),
}
