"""Trained networks: downloads, readers of the public formats, and strict checks of what they contain."""

from nst_jax.weights.building import load_network
from nst_jax.weights.head import load_classifier
from nst_jax.weights.loading import load
from nst_jax.weights.readers.safetensors_file import save
from nst_jax.weights.resolving import resolve

__all__ = ["load", "load_classifier", "load_network", "resolve", "save"]
