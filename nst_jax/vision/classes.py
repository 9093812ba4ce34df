"""The classifier on top of a network, for weight files that include one."""

from absl import logging

from nst_jax.config import NetworkConfig
from nst_jax.errors import UserError
from nst_jax.networks.classifier import INPUT_SIDE, Classifier, ClassifierWeights
from nst_jax.networks.network import Network
from nst_jax.weights import load_classifier


def classifier_behind(
    network: Network, config: NetworkConfig, size: int
) -> tuple[Classifier, ClassifierWeights]:
    """Load the classifier from the weight file of `network`, for square pictures of `size` pixels.

    Raises:
        UserError: the file has no classifier, or it cannot be used with this network or `size`.
    """
    weights = load_classifier(config.weights, config.arch)
    if "pool5" not in network.layers:
        raise UserError(
            f"network.weights: {weights.name} holds a classifier, but lacks some of the layers before it"
        )
    if config.normalize:
        raise UserError("network.normalize: the classifier requires the original activations; use False")
    if size != INPUT_SIDE:
        raise UserError(f"size: the classifier requires pictures of {INPUT_SIDE} pixels, not {size}")
    if config.pool != "max":
        logging.warning("network.pool: the classifier was trained with max; avg lowers its confidence")
    return Classifier(weights), weights
