"""Feature splitting: every layer is drawn to its own nearest style features, found anew at each step.

Kolkin et al. 2022 (arXiv 2203.13215), section 4.3. Two differences from the authors' code. The features of
the style are drawn once, about 64 x 64 of all its rotations together, instead of that many of each rotation
at every step: the search is then a quarter of the work, and memory does not grow with the picture. And each
layer uses its own features, where the code repeats those of the layer before if a layer has at most 64
positions a side.
"""

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float

from nst_jax.networks.network import Network
from nst_jax.nnst.neighbors import SMALLEST, most_alike

SIDE = 64  # features along the longer side of a layer


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Splitting:
    """What feature splitting depends on besides the picture and the network."""

    style: dict[str, Any]  # layer -> features, "k _"
    seed: Any  # uint32
    step: Any  # int32; features of the picture are drawn anew at each step
    basis: Any  # of the variable


def at_step(splitting: Splitting, state: Any) -> Splitting:
    """Return what the loss of the step after `state`, that of an optimiser, depends on."""
    return dataclasses.replace(splitting, step=state.step)


def splitting_and_terms(
    network: Network, splitting: Splitting, image: Float[Array, "1 h w 3"]
) -> tuple[Float[Array, ""], dict[str, Float[Array, ""]]]:
    """Return the sum over layers of the mean distance to the nearest style features, and its terms."""
    key = jax.random.fold_in(jax.random.key(splitting.seed), splitting.step)
    by_layer = {
        layer: nearest_distance(sampled(F, jax.random.fold_in(key, number)), splitting.style[layer])
        for number, (layer, F) in enumerate(sorted(network(image, tuple(splitting.style)).items()))
    }
    total = sum(by_layer.values(), start=jnp.zeros(()))
    terms = {f"splitting/{layer}": distance for layer, distance in by_layer.items()}
    return total, {"total": total, "splitting": total, **terms}


def nearest_distance(found: Float[Array, "m n"], style: Float[Array, "k n"]) -> Float[Array, ""]:
    """Return the mean over `found` of the centred cosine distance to the nearest row of `style`."""
    mean = jnp.mean(style, axis=0)
    rows = found - jnp.mean(found, axis=0)
    # A search has no gradient.
    _, index = most_alike(lax.stop_gradient(rows), style, mean)
    nearest = style[index] - mean
    lengths = [jnp.maximum(jnp.sum(jnp.square(a), axis=1), SMALLEST) for a in (rows, nearest)]
    return 1 - jnp.mean(jnp.sum(rows * nearest, axis=1) / jnp.sqrt(lengths[0] * lengths[1]))


def sampled(F: Float[Array, "1 h w n"], key: Array, share: float = 1.0) -> Float[Array, "m n"]:
    """Return the features at regular distances from a random position: `share` of about 64 x 64 at most."""
    height, width = F.shape[1:3]
    distance = max(1, int(max(height, width) / (SIDE * math.sqrt(share))))
    for axis, side in ((1, height), (2, width)):
        between = min(distance, side)
        first = jax.random.randint(jax.random.fold_in(key, axis), (), 0, between)
        # From a random start, so that in the course of the steps every position takes part.
        F = jnp.take(F, first + between * np.arange(side // between), axis)
    return F.reshape(-1, F.shape[3])


def style_features(
    network: Network, styles: Sequence[Float[Any, "1 _ _ 3"]], layers: Sequence[str], seed: int
) -> dict[str, Float[Array, "k _"]]:
    """Return about 64 x 64 features of all `styles` together, at each layer."""
    drawn = [
        _drawn(network, style, tuple(sorted(layers)), jnp.uint32(seed), number, 1 / len(styles))
        for number, style in enumerate(styles)
    ]
    return {layer: jnp.concatenate([features[layer] for features in drawn]) for layer in drawn[0]}


def _features(
    network: Network, image: Array, layers: tuple[str, ...], seed: Array, number: Array, share: float
) -> dict[str, Array]:
    key = jax.random.fold_in(jax.random.key(seed), number)
    return {
        layer: sampled(F, jax.random.fold_in(key, place), share)
        for place, (layer, F) in enumerate(network(image, layers).items())
    }


# Drawn within the program: all features of a picture are far more than the few that stay.
_drawn: Callable[..., dict[str, Array]] = jax.jit(_features, static_argnums=(2, 5))
