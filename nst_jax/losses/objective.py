"""The objective J(G) of a picture: a weighted sum of terms."""

import dataclasses
import functools
import math
import operator
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from nst_jax.losses.features.evaluator import Evaluator
from nst_jax.losses.features.request import Guides, Request, merged
from nst_jax.losses.terms.term import Inputs, Seen, Term
from nst_jax.losses.terms.terms import TERMS, term_weights
from nst_jax.networks import receptive
from nst_jax.networks.network import Network
from nst_jax.variables.variable import Variable


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Objective:
    """Everything that J(G) depends on besides what is optimised, and the network."""

    terms: tuple[tuple[str, Term], ...] = dataclasses.field(metadata={"static": True})  # in this order
    evaluator: Evaluator = dataclasses.field(metadata={"static": True})
    targets: dict[str, Any]  # by term
    weights: dict[str, Any]
    wrap: bool = dataclasses.field(metadata={"static": True})  # a periodic image
    variable: Variable = dataclasses.field(metadata={"static": True})
    basis: Any  # of the variable

    def needs(self) -> tuple[Request, Guides]:
        """What all terms need of the picture."""
        return merged(term.needs(self.targets[name]) for name, term in self.terms)


def make_objective(inputs: Inputs, evaluator: Evaluator, variable: Variable, basis: Any) -> Objective:
    """The objective of a run at one size: all terms that its config has in use, and their targets."""
    weights = {name: jnp.float32(weight) for name, weight in term_weights(inputs.config).items()}
    used = tuple((name, TERMS[name]) for name in weights)
    targets = {name: term.prepare(inputs) for name, term in used}
    return Objective(used, evaluator, targets, weights, inputs.wrap, variable, basis)


def total_and_terms(
    network: Network, objective: Objective, array: Float[Array, "1 _ _ 3"]
) -> tuple[Float[Array, ""], dict[str, Float[Array, ""]]]:
    """J(G), the scalar that is minimised, and its terms, all without their weights.

    These are the `total`, each term by its name, and its parts as `TERM/PART`.
    """
    return objective.evaluator.loss(_total_and_terms)(network, objective, array)


def _total_and_terms(network: Network, objective: Objective, array: Array) -> tuple[Array, dict[str, Array]]:
    """The same on one device, from its strip if the picture is divided."""
    evaluator, (request, guides) = objective.evaluator, objective.needs()
    picture = objective.variable.decode(objective.basis, array)
    found = evaluator.features(network, picture, request, guides)
    height, width = evaluator.height or picture.shape[1], picture.shape[2]
    positions = {
        layer: math.prod(receptive.shape(network.geometry, layer, height, width))
        for layer in request.activations
    }
    seen = Seen(picture, *found, positions, height, objective.wrap)
    # A strip has neighbours, which some terms have to ask for rows.
    divided = evaluator.height is not None
    measures = {name: (divided and term.share) or term.measure for name, term in objective.terms}
    # In the order of the targets, on which the rounding of the compiled program depends.
    shares = {name: measures[name](seen, target) for name, target in objective.targets.items()}
    measured = evaluator.summed(shares)
    values: dict[str, Array] = {}
    parts: dict[str, Array] = {}
    for name, term in objective.terms:
        values[name], by_part = term.value(measured[name], objective.targets[name])
        parts |= {f"{name}/{part}": value for part, value in by_part.items()}
    weighted = (objective.weights[name] * value for name, value in values.items())
    total = functools.reduce(operator.add, weighted)
    return total, {"total": total, **values, **parts}
