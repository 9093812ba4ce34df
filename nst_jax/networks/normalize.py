"""Rescaling of filters to a mean activation of 1 (Gatys et al. 2016, section 2)."""

from collections.abc import Mapping, Sequence

import jax
import numpy as np
from jaxtyping import Array, Float

from nst_jax.errors import UserError
from nst_jax.networks.architectures import architecture
from nst_jax.networks.network import Network
from nst_jax.networks.trained import Weights, make_weights


def mean_activations(network: Network, images: Sequence[Float[Array, "1 _ _ 3"]]) -> dict[str, np.ndarray]:
    """The mean activation of every filter of every convolution, over all images and positions."""
    per_image = [jax.device_get(_sums(network, image)) for image in images]
    totals = jax.tree.map(lambda *parts: sum(parts), *per_image)
    return {layer: total / positions for layer, (total, positions) in totals.items()}


@jax.jit
def _sums(network: Network, image: Array) -> dict[str, tuple[Array, int]]:
    weighted = tuple(layer.name for layer in network.geometry if layer.weighted)
    activations = network(image, weighted)
    return {layer: (F.sum((0, 1, 2)), F.size // F.shape[-1]) for layer, F in activations.items()}


def require_chain(arch: str) -> None:
    """Raise `UserError` if a layer of `arch` has several convolutions, so that they do not form a chain."""
    layers = architecture(arch).layers
    if branched := [layer.name for layer in layers if len(layer.convolutions()) > 1]:
        raise UserError(
            f"network.normalize: not supported for {arch}, whose layers such as {branched[0]} have several "
            "convolutions; use False"
        )


def normalize_filters(weights: Weights, means: Mapping[str, np.ndarray]) -> Weights:
    """Divide each filter by its mean activation, layer by layer.

    The kernel and bias of a filter are divided by its mean, and the next layer's kernel is multiplied by it.
    ReLU and pooling are positively homogeneous, so each activation is divided by its filter's mean, and
    nothing else changes. A filter that never fires keeps its scale. Requires a chain, see `require_chain`.
    """
    arrays = {}
    undo = np.ones(3, np.float32)
    for layer in (layer for layer in weights.layers() if layer in means):
        mean = np.where(means[layer] > 0, means[layer], 1).astype(np.float32)
        arrays[f"{layer}.kernel"] = weights.arrays[f"{layer}.kernel"] * undo[:, None] / mean
        arrays[f"{layer}.bias"] = weights.arrays[f"{layer}.bias"] / mean
        undo = mean
    return make_weights(f"{weights.name}, normalized", weights.arch, arrays, weights.preprocessing)
