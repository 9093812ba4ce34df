"""J(G) and its gradient for a picture that is split by rows over devices; see `nst_jax.losses.sharding`."""

import math
from functools import partial
from typing import Any

import jax
from jax.sharding import PartitionSpec as P
from jaxtyping import Array, Float

from nst_jax.devices import strips
from nst_jax.devices.split import ROWS, Split
from nst_jax.losses.objective import Objective, combined
from nst_jax.losses.sharding import strip_features
from nst_jax.losses.terms.term import Seen
from nst_jax.networks import receptive
from nst_jax.networks.network import Network

TotalAndTerms = tuple[Float[Array, ""], dict[str, Float[Array, ""]]]


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def split_total_and_terms(
    split: Split, network: Network, objective: Objective, image: Float[Array, "1 _ _ 3"]
) -> TotalAndTerms:
    """Like `nst_jax.losses.objective.total_and_terms`, for arrays on the devices of `split`.

    Differentiable once, with respect to `image`. Each device computes the gradient of its own strip.
    """
    return _evaluated(split, network, objective, image)[0]


def _evaluated(
    split: Split, network: Network, objective: Objective, image: Array
) -> tuple[TotalAndTerms, Array]:
    evaluate = jax.value_and_grad(partial(_strip_total_and_terms, split.height), argnums=2, has_aux=True)
    specs = objective_specs(objective)
    return split.over_strips(evaluate, (P(), specs, ROWS), (P(), ROWS))(network, objective, image)


def _strip_total_and_terms(
    height: int, network: Network, objective: Objective, strip: Array
) -> TotalAndTerms:
    """J(G) of the whole picture, the same on every device."""
    strip = objective.shown(strip)
    features = strip_features(network, strip, *objective.needs(), objective.tile, height)
    positions = {
        layer: math.prod(receptive.shape(network.geometry, layer, height, strip.shape[2]))
        for layer in features.activations
    }
    seen = Seen(strip, *features, positions, height, objective.wrap)
    by_name = dict(objective.terms)
    shares = {
        name: (by_name[name].share or by_name[name].measure)(seen, target)
        for name, target in objective.targets.items()
    }
    found = combined(objective, strips.summed(shares))
    return found["total"], found


def objective_specs(objective: Objective) -> Any:
    """How the arrays of an objective are divided: those over positions by rows, the others not at all.

    An additive statistic is at most a matrix; a guide, a layer's activations and outlines have three axes or
    more, of which the second are rows.
    """
    return jax.tree.map(lambda leaf: ROWS if leaf.ndim > 2 else P(), objective)


def _forward(split: Split, network: Network, objective: Objective, image: Array) -> tuple[TotalAndTerms, Any]:
    result, gradient = _evaluated(split, network, objective, image)
    return result, gradient


def _backward(split: Split, gradient: Array, cotangents: TotalAndTerms) -> tuple[None, None, Array]:
    del split
    return None, None, cotangents[0] * gradient


split_total_and_terms.defvjp(_forward, _backward)
