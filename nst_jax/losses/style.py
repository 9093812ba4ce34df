"""Style losses by name. To add one, write it in a file of its own and list it in `STYLE_LOSSES`."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from nst_jax.losses.covariance import covariance_distance, gaussian
from nst_jax.losses.distribution import distribution, pooled
from nst_jax.losses.gram import gram, gram_distance
from nst_jax.losses.histogram import filter_quantiles, histogram_distance
from nst_jax.losses.moments import moments, moments_distance
from nst_jax.losses.mrf import kept_patches, mrf_distance, patches
from nst_jax.losses.sliced import projected_quantiles, sliced_distance
from nst_jax.losses.sums import guided_mean, mean_distance
from nst_jax.losses.w2 import root_cost, w2_distance

# (layer, the names of its losses) for every style layer; hashable, as a program depends on it.
LayerLosses = tuple[tuple[str, tuple[str, ...]], ...]


def averaged(statistics: Sequence[Any], weights: Sequence[float]) -> Any:
    """The weighted average of statistics of equal shapes; the weights sum to 1."""
    if len(statistics) == 1:
        return statistics[0]
    return jax.tree.map(
        lambda *leaves: sum(weight * leaf for weight, leaf in zip(weights, leaves, strict=True)), *statistics
    )


def of_any_size(statistic: Any, height: int, width: int) -> Any:
    """The statistic itself, which serves as a target for results of any size."""
    del height, width
    return statistic


class StyleLoss(NamedTuple):
    """A statistic of a layer's activations, and its distance to a target.

    `statistic(F, positions, guide)` maps activations F, "1 h w n", to a pytree of arrays. F may be a tile;
    `positions` is the number of positions of the whole layer. The guide, "1 h w 1" with a mean square of 1
    over the whole layer, weights the positions; it is None for the whole layer. `distance(statistic, target)`
    is a scalar, differentiable with respect to the statistic, and finite if the target is all zeros. A
    statistic is `additive` if it is a sum over positions, divided by `positions`, of terms that are 0 where F
    is 0. Tiling requires this: the statistics of the tiles then sum to that of the whole layer.

    `blend(statistics, weights)` is the statistic of several styles of one region, whose weights sum to 1.
    `fit(statistic, height, width)` makes the target for a result whose layer has `height` x `width`
    positions. The shapes of the target depend on these and the number of filters alone; only its first axis
    may be as long as the style asks for, in which case the distance must not change if rows are repeated.
    A loss that `dilutes` takes a blend with the content's own statistic as a weaker style.

    `fixed_cost(filters)` is the number of multiply-adds that do not depend on the size of the layer.
    """

    statistic: Callable[[Float[Array, "1 h w n"], int, Float[Array, "1 h w 1"] | None], Any]
    distance: Callable[[Any, Any], Float[Array, ""]]
    additive: bool
    blend: Callable[[Sequence[Any], Sequence[float]], Any] = averaged
    fit: Callable[[Any, int, int], Any] = of_any_size
    dilutes: bool = True
    fixed_cost: Callable[[int], float] = lambda filters: 0.0


STYLE_LOSSES = {
    "gram": StyleLoss(gram, gram_distance, additive=True),
    "covariance": StyleLoss(gaussian, covariance_distance, additive=True),
    "moments": StyleLoss(moments, moments_distance, additive=True),
    "w2": StyleLoss(gaussian, w2_distance, additive=True, fixed_cost=root_cost),
    "sliced": StyleLoss(distribution, sliced_distance, False, pooled, projected_quantiles),
    "histogram": StyleLoss(distribution, histogram_distance, False, pooled, filter_quantiles),
    "mrf": StyleLoss(patches, mrf_distance, False, pooled, kept_patches, dilutes=False),
    "sums": StyleLoss(guided_mean, mean_distance, additive=True),
}


def target_shapes(
    losses: Sequence[str], styles: Sequence[tuple[int, int]], filters: int, height: int, width: int
) -> dict[str, Any]:
    """The shapes of the targets by loss, for styles whose layers have these positions (height, width)."""
    layers = [jax.ShapeDtypeStruct((1, *size, filters), jnp.float32) for size in styles]
    # Any shares: shapes do not depend on them.
    shares = [1 / len(styles)] * len(styles)

    def target(loss: StyleLoss, *layers: Array) -> Any:
        found = [loss.statistic(F, F.shape[1] * F.shape[2], None) for F in layers]
        return loss.fit(loss.blend(found, shares), height, width)

    return {name: jax.eval_shape(partial(target, STYLE_LOSSES[name]), *layers) for name in losses}


@partial(jax.jit, static_argnums=(1, 2))
def fitted_targets(found: Mapping[str, Any], height: int, width: int) -> dict[str, Any]:
    """The targets for a result whose layer has `height` x `width` positions, from statistics by loss."""
    return {name: STYLE_LOSSES[name].fit(statistic, height, width) for name, statistic in found.items()}
