"""The classifier that continues a network, where the network's weights come with one."""

from absl import logging

from nst_jax.config import NetworkConfig
from nst_jax.errors import UserError
from nst_jax.networks.classifier import INPUT_SIDE, Classifier, ClassifierWeights
from nst_jax.networks.network import Network
from nst_jax.weights import load_classifier


def classifier_behind(
    network: Network, config: NetworkConfig, size: int
) -> tuple[Classifier, ClassifierWeights]:
    """The classifier from the file that `network` is from, for pictures with sides of `size` pixels.

    Raises:
        UserError: there is none, or none that fits; the message says why.
    """
    weights = load_classifier(config.weights, config.arch)
    if "pool5" not in network.layers:
        raise UserError(
            f"network.weights: {weights.name} holds a classifier, but not all the layers before it"
        )
    if config.normalize:
        raise UserError("network.normalize: the classifier takes activations as they are; give False")
    if size != INPUT_SIDE:
        raise UserError(f"size: the classifier takes pictures of {INPUT_SIDE} pixels, not {size}")
    if config.pool != "max":
        logging.warning("network.pool: the classifier was trained behind max; behind avg it is less sure")
    return Classifier(weights), weights
