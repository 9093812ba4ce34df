"""Build a network from the `network` section of a config."""

from collections.abc import Sequence

import jax.numpy as jnp

from nst_jax import images
from nst_jax.config import NetworkConfig
from nst_jax.networks.architectures import architecture
from nst_jax.networks.network import Network
from nst_jax.networks.normalize import mean_activations, normalize_filters, require_chain
from nst_jax.networks.trained import Weights
from nst_jax.weights.resolving import resolve

# `network.normalize` always averages over these pictures, so that a ratio alpha/beta means the same in every
# run. Photographs alone are not enough: one filter that they hardly excite was scaled 20 times too large.
NORMALIZATION_SAMPLES = (
    *("sample:astronaut", "sample:chelsea", "sample:coffee", "sample:rocket"),
    *("sample:ink_wash", "sample:stained_glass", "sample:sunset", "sample:swirls"),
)
NORMALIZATION_SIZE = 256  # pixels


def load_network(config: NetworkConfig, layers: Sequence[str]) -> tuple[Network, Weights]:
    """Build the network described by `config`, with the weights needed to compute `layers`.

    Raises:
        UserError: the weights cannot be obtained, or do not cover one of the layers.
    """
    whole = architecture(config.arch)
    needed = [name for layer in layers for name in whole.weighted_up_to(layer)]
    weights = resolve(config.weights, config.arch, needed)
    if config.normalize:
        weights = normalized(weights, config.pool)
    # With 'auto', the weights may have another architecture than `config.arch`.
    network = architecture(weights.arch).build(
        weights, pool=config.pool, conv=config.conv, precision=config.precision, padding=config.padding
    )
    return network, weights


def normalized(weights: Weights, pool: str) -> Weights:
    """Rescale filters to a mean activation of 1 over the bundled samples (Gatys et al. 2016).

    Raises:
        UserError: the filters of the network do not form a chain.
    """
    require_chain(weights.arch)
    samples = [images.fit(images.read(name), NORMALIZATION_SIZE) for name in NORMALIZATION_SAMPLES]
    network = architecture(weights.arch).build(weights, pool=pool)
    return normalize_filters(weights, mean_activations(network, [jnp.asarray(s) for s in samples]))
