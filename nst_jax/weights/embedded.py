"""`slim`, the network bundled with the package; networks/SLIM.md describes it and how it was trained."""

import dataclasses
from importlib import resources
from pathlib import Path

from nst_jax.networks.trained import Weights
from nst_jax.weights.loading import load

FILE = Path(str(resources.files("nst_jax") / "networks" / "slim.safetensors"))


def slim() -> Weights:
    """Load the bundled network, conv1_1 to conv5_1."""
    return dataclasses.replace(load(FILE, "slim"), name="slim (embedded)")
