"""The objective J(G) of a picture: a weighted sum of terms."""

import dataclasses
import functools
import operator
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from nst_jax.devices.split import Split
from nst_jax.losses import tiling
from nst_jax.losses.features.request import Features, Guides, Request, joined
from nst_jax.losses.features.whole import whole_features
from nst_jax.losses.kept import Kept, shown
from nst_jax.losses.sharding import split_features
from nst_jax.losses.terms.term import Inputs, Seen, Term
from nst_jax.losses.terms.terms import TERMS, term_weights
from nst_jax.networks.network import Network


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Objective:
    """Everything that J(G) depends on besides the image and the network."""

    terms: tuple[tuple[str, Term], ...] = dataclasses.field(metadata={"static": True})  # in this order
    targets: dict[str, Any]  # by term
    weights: dict[str, Any]
    tile: int = dataclasses.field(default=0, metadata={"static": True})  # pixels; 0: no tiling
    wrap: bool = dataclasses.field(default=False, metadata={"static": True})  # a periodic image
    gray: bool = dataclasses.field(default=False, metadata={"static": True})  # of the picture, see `shown`
    kept: Kept | None = None  # None if a style applies everywhere

    def shown(self, image: Float[Array, "1 _ _ 3"]) -> Float[Array, "1 _ _ 3"]:
        """The picture, or a strip of it, that the losses see of the optimised `image`."""
        return shown(image, self.kept, self.gray)

    def needs(self) -> tuple[Request, Guides]:
        """What all terms need of the picture."""
        return joined(term.needs(self.targets[name]) for name, term in self.terms)


def make_objective(inputs: Inputs, tile: int = 0, gray: bool = False, kept: Kept | None = None) -> Objective:
    """The objective of a run at one size: all terms that its config has in use, and their targets."""
    weights = {name: jnp.float32(weight) for name, weight in term_weights(inputs.config).items()}
    used = tuple((name, TERMS[name]) for name in weights)
    targets = {name: term.prepare(inputs) for name, term in used}
    return Objective(used, targets, weights, tile, inputs.wrap, gray, kept)


def features(
    network: Network,
    picture: Float[Array, "1 _ _ 3"],
    request: Request,
    guides: Guides,
    tile: int = 0,
    split: Split | None = None,
) -> Features:
    """What `request` finds in `picture` under `guides`, which are of its size.

    With a `tile` size it takes less memory, see `nst_jax.losses.tiling`; `split`: `nst_jax.losses.sharding`.
    """
    if split:
        return split_features(network, picture, request, guides, tile, split)
    if tile:
        return tiling.tiled_features(network, picture, request, guides, tile)
    return whole_features(network, picture, request, guides)


def terms(
    network: Network, objective: Objective, image: Float[Array, "1 _ _ 3"]
) -> dict[str, Float[Array, ""]]:
    """The `total`, each term by its name, and its parts as `TERM/PART`, all without their weights."""
    picture = objective.shown(image)
    found = features(network, picture, *objective.needs(), objective.tile)
    positions = {layer: F.shape[1] * F.shape[2] for layer, F in found.activations.items()}
    seen = Seen(picture, *found, positions, picture.shape[1], objective.wrap)
    by_name = dict(objective.terms)
    measured = {name: by_name[name].measure(seen, target) for name, target in objective.targets.items()}
    return combined(objective, measured)


def combined(objective: Objective, measured: Mapping[str, Any]) -> dict[str, Float[Array, ""]]:
    """The `terms` of what they have measured of the whole picture."""
    values: dict[str, Array] = {}
    parts: dict[str, Array] = {}
    for name, term in objective.terms:
        values[name], own = term.value(measured[name], objective.targets[name])
        parts |= {f"{name}/{part}": value for part, value in own.items()}
    weighted = (objective.weights[name] * value for name, value in values.items())
    return {"total": functools.reduce(operator.add, weighted), **values, **parts}


def total(network: Network, objective: Objective, image: Float[Array, "1 _ _ 3"]) -> Float[Array, ""]:
    """J(G), the scalar that is minimised."""
    return terms(network, objective, image)["total"]


def total_and_terms(
    network: Network, objective: Objective, image: Float[Array, "1 _ _ 3"]
) -> tuple[Float[Array, ""], dict[str, Float[Array, ""]]]:
    """J(G) and its terms: the form that `nst_jax.optimizers` minimises."""
    by_name = terms(network, objective, image)
    return by_name["total"], by_name


jitted_features = jax.jit(features, static_argnums=(2, 4, 5))
