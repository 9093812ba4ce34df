"""From the `network` section of a config to a network that is ready to run."""

from collections.abc import Sequence

import jax.numpy as jnp

from nst_jax import images
from nst_jax.config import NetworkConfig
from nst_jax.networks.architectures import architecture
from nst_jax.networks.network import Network
from nst_jax.networks.normalize import mean_activations, normalize_filters
from nst_jax.networks.trained import Weights
from nst_jax.weights.resolving import resolve

# `network.normalize` averages over these pictures, always the same, so that a ratio alpha/beta means the same
# in every run. Photos alone are too few: a filter that they hardly excite was scaled 20 times too large.
NORMALIZATION_SAMPLES = (
    *("sample:astronaut", "sample:chelsea", "sample:coffee", "sample:rocket"),
    *("sample:ink_wash", "sample:stained_glass", "sample:sunset", "sample:swirls"),
)
NORMALIZATION_SIZE = 256  # pixels


def load_network(config: NetworkConfig, layers: Sequence[str]) -> tuple[Network, Weights]:
    """The network that `config` describes, with all that is needed to compute `layers`.

    Raises:
        UserError: the weights cannot be obtained, or end before one of the layers.
    """
    whole = architecture(config.arch)
    needed = [name for layer in layers for name in whole.weighted_up_to(layer)]
    weights = resolve(config.weights, config.arch, needed)
    if config.normalize:
        weights = normalized(weights, config.pool)
    # With 'auto' the weights may be of another architecture than the config names.
    network = architecture(weights.arch).build(weights, config.pool, config.conv, config.precision)
    return network, weights


def normalized(weights: Weights, pool: str) -> Weights:
    """`weights` with filters of mean activation 1 over the bundled samples (Gatys et al. 2016)."""
    samples = [images.fit(images.read(name), NORMALIZATION_SIZE) for name in NORMALIZATION_SAMPLES]
    network = architecture(weights.arch).build(weights, pool, "auto", "float32")
    return normalize_filters(weights, mean_activations(network, [jnp.asarray(s) for s in samples]))
