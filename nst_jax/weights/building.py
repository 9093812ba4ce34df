"""Build a network from the `network` section of a config."""

from collections.abc import Collection, Sequence

import jax.numpy as jnp

from nst_jax import images
from nst_jax.config import NetworkConfig
from nst_jax.networks.architectures import architecture
from nst_jax.networks.convnet import build_network
from nst_jax.networks.network import Network
from nst_jax.networks.normalize import mean_activations, normalize_filters, require_chain
from nst_jax.networks.trained import Weights
from nst_jax.weights.resolving import alternatives, resolve

# `network.normalize` always averages over these pictures, so that a ratio alpha/beta means the same in every
# run. Photographs alone are not enough: one filter that they hardly excite was scaled 20 times too large.
NORMALIZATION_SAMPLES = (
    *("sample:astronaut", "sample:chelsea", "sample:coffee", "sample:rocket"),
    *("sample:ink_wash", "sample:stained_glass", "sample:sunset", "sample:swirls"),
)
NORMALIZATION_SIZE = 256  # pixels


def load_network(
    config: NetworkConfig, layers: Sequence[str], begun: Collection[str] = ()
) -> tuple[Network, Weights]:
    """Build the network described by `config`, with the weights needed to compute `layers`.

    A resumed run gives as `begun` the digest of the network that it began with: "auto" stands for that one
    again, even if a preferred one has been downloaded since.

    Raises:
        UserError: the weights cannot be obtained, or do not cover one of the layers.
    """
    whole = architecture(config.arch)
    needed = [name for layer in layers for name in whole.weighted_up_to(layer)]
    weights = (begun and _begun_with(config, begun)) or _adapted(
        config, resolve(config.weights, config.arch, needed)
    )
    # With 'auto', the weights may have another architecture than `config.arch`.
    network = build_network(
        weights, pool=config.pool, conv=config.conv, precision=config.precision, padding=config.padding
    )
    return network, weights


def _begun_with(config: NetworkConfig, begun: Collection[str]) -> Weights | None:
    """The network with a digest in `begun` that "auto" may stand for; None if it is not at hand."""
    for found in alternatives(config.arch) if config.weights == "auto" else ():
        if (weights := _adapted(config, found)).sha256 in begun:
            return weights
    return None


def _adapted(config: NetworkConfig, weights: Weights) -> Weights:
    return normalized(weights, config.pool) if config.normalize else weights


def normalized(weights: Weights, pool: str) -> Weights:
    """Rescale filters to a mean activation of 1 over the bundled samples (Gatys et al. 2016).

    Raises:
        UserError: the filters of the network do not form a chain.
    """
    require_chain(weights.arch)
    samples = [images.fit(images.read(name), NORMALIZATION_SIZE) for name in NORMALIZATION_SAMPLES]
    network = build_network(weights, pool=pool)
    return normalize_filters(weights, mean_activations(network, [jnp.asarray(s) for s in samples]))
