"""The classifier on top of a network, for weight files that include one."""

import jax
import jax.numpy as jnp
from absl import logging

from nst_jax.config import NetworkConfig
from nst_jax.errors import UserError
from nst_jax.networks.architectures import Head, architecture
from nst_jax.networks.classifier import Classifier, ClassifierWeights
from nst_jax.networks.network import Network
from nst_jax.weights import load_classifier


def classifier_behind(
    network: Network, config: NetworkConfig, size: int
) -> tuple[Classifier, ClassifierWeights]:
    """Load the classifier that belongs to `network`, for square pictures of `size` pixels.

    VGG's is read from the weight file; that of other networks is their last layer.

    Raises:
        UserError: there is no classifier, or it cannot be used with this network or `size`.
    """
    head = architecture(config.arch).head
    if head is None:
        raise UserError(f"network.arch: {config.arch} has no classifier")
    weights = load_classifier(config.weights, config.arch) if head.dense else _of_layer(network, config, head)
    if head.layer not in network.layers:
        raise UserError(
            f"network.weights: {weights.name} holds a classifier, but lacks some of the layers before it"
        )
    if config.normalize:
        raise UserError("network.normalize: the classifier requires the original activations; use False")
    if head.dense and size != head.side:
        raise UserError(f"size: the classifier requires pictures of {head.side} pixels, not {size}")
    if config.pool != "max":
        logging.warning("network.pool: the classifier was trained with max; avg lowers its confidence")
    return Classifier(weights), weights


def _of_layer(network: Network, config: NetworkConfig, head: Head) -> ClassifierWeights:
    """The classifier whose scores are the means of a layer of the network."""
    if head.layer not in network.layers:
        raise UserError(f"network.weights: {config.weights} has no classifier: it lacks {head.layer}")
    image = jax.ShapeDtypeStruct((1, head.side, head.side, 3), jnp.float32)
    maps = jax.eval_shape(lambda x: network(x, (head.layer,))[head.layer], image)
    return ClassifierWeights(f"{config.arch}, {head.layer}", {}, "", maps.shape[-1], head)
