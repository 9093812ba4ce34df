"""Trained networks: where they come from, how they are read, and proof of what they are."""

from nst_jax.weights.classifier import ClassifierWeights, load_classifier
from nst_jax.weights.loading import load
from nst_jax.weights.model import OXFORD, TORCHVISION, Preprocessing, Weights
from nst_jax.weights.readers.safetensors_file import save
from nst_jax.weights.resolving import resolve

__all__ = [
    "OXFORD",
    "TORCHVISION",
    "ClassifierWeights",
    "Preprocessing",
    "Weights",
    "load",
    "load_classifier",
    "resolve",
    "save",
]
