"""`slim`, the network bundled with the package; networks/SLIM.md describes its versions."""

from importlib import resources
from pathlib import Path

from nst_jax.networks.trained import Weights
from nst_jax.weights.loading import load

_FOLDER = Path(str(resources.files("nst_jax") / "networks"))
FILE = _FOLDER / "slim.safetensors"
FIRST_FILE = _FOLDER / "slim_v1.safetensors"


def slim() -> Weights:
    """Load the bundled network, conv1_1 to conv5_1."""
    return load(FILE, "slim", name="slim (embedded)")


def first_slim() -> Weights:
    """Load the first version of the bundled network, with which older runs are resumed."""
    return load(FIRST_FILE, "slim", name="slim, version 1 (embedded)")
