"""Networks as Flax NNX modules: an image in, named activations out."""

from nst_jax.networks.classifier import Classifier
from nst_jax.networks.normalize import mean_activations, normalize_filters
from nst_jax.networks.vgg import VGG

__all__ = ["VGG", "Classifier", "mean_activations", "normalize_filters"]
