"""The network inside the package: `slim`, trained by scripts/distill.py; networks/SLIM.md is its card."""

import dataclasses
from importlib import resources
from pathlib import Path

from nst_jax.networks.trained import Weights
from nst_jax.weights.loading import load

FILE = Path(str(resources.files("nst_jax") / "networks" / "slim.safetensors"))


def slim() -> Weights:
    """The embedded network, conv1_1 to conv5_1."""
    return dataclasses.replace(load(FILE, "slim"), name="slim (embedded)")
