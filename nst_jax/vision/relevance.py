"""Relevance of units: gradient times activation, towards a class or a deeper unit.

Units are ranked by what they contribute to a decision instead of how strongly they fire (Achtibat et al.
2023, "From attribution maps to human-understandable explanations through Concept Relevance Propagation",
"Relevance maximization"). The contributions here are gradient times activation (Shrikumar et al. 2016,
arXiv 1605.01713). In a ReLU network, they equal layer-wise relevance propagation by the z-rule, with biases
that keep their share of the relevance. A picture counts with its largest value at one position, as for
activations; zennit-crp by default ranks pictures by the sum over positions.
"""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from nst_jax.errors import UserError
from nst_jax.networks.architectures import Layer, architecture
from nst_jax.networks.classifier import Classifier
from nst_jax.networks.network import Network, walk

CLASS, MOST_PROBABLE = "class", -1
FORMS = "'class' for the most probable class of each picture, 'class:NUMBER', or 'LAYER:UNIT'"


class Towards(NamedTuple):
    """What relevance is measured towards: a unit of `layer`, or a class; all positions count together."""

    layer: str  # or CLASS
    number: int  # of the unit or the class; MOST_PROBABLE for that of each picture


def read_target(text: str, arch: str) -> Towards:
    """Parse the config field `target`.

    Raises:
        UserError: it does not have one of the `FORMS`, or names a layer that `arch` does not have.
    """
    name, colon, number = text.partition(":")
    if name == CLASS and not colon:
        return Towards(CLASS, MOST_PROBABLE)
    if not number.isdecimal():
        raise UserError(f"target: {text!r} is not {FORMS}")
    if name != CLASS:
        architecture(arch).up_to(name)  # raises if there is no such layer
    return Towards(name, int(number))


def relevances(
    network: Network,
    classifier: Classifier | None,
    images: Float[Array, "b h w 3"],
    layers: Sequence[str],
    towards: Towards,
) -> tuple[dict[str, Float[Array, "b _ _ _"]], Int[Array, "b"]]:
    """Return gradient times activation at each of `layers`, and the class of each picture; -1 for a unit.

    Takes one forward pass, and one backward pass down to the first of `layers`.
    """
    deepest = classifier.layer if towards.layer == CLASS and classifier else towards.layer
    wanted = (*layers, deepest)

    def scored(added: dict[str, Array]) -> tuple[Array, tuple[dict[str, Array], Array]]:
        def apply(layer: Layer, x: Array) -> Array:
            y = network.apply(layer.name, x)
            return y + added[layer.name] if layer.name in added else y

        F = walk(network.geometry, wanted, network.preprocess(images), apply)
        if towards.layer != CLASS or classifier is None:
            return F[deepest][..., towards.number].sum(), (F, jnp.full(len(images), -1, jnp.int32))
        scores = classifier(F[deepest])
        chosen = jnp.full(len(images), towards.number, jnp.int32)
        label = jnp.argmax(scores, 1).astype(jnp.int32) if towards.number == MOST_PROBABLE else chosen
        return jnp.take_along_axis(scores, label[:, jnp.newaxis], 1).sum(), (F, label)

    # The gradient with respect to zeros that are added to a layer is the gradient at that layer.
    shapes = jax.eval_shape(lambda x: network(x, tuple(layers)), images)
    zeros = {layer: jnp.zeros(shape.shape, shape.dtype) for layer, shape in shapes.items()}
    gradients, (F, label) = jax.grad(scored, has_aux=True)(zeros)
    return {layer: F[layer] * gradients[layer] for layer in layers}, label
