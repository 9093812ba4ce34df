"""Zeiler & Fergus 2013 (arXiv 1311.2901), Table 1: correspondence of object parts between pictures.

    python -m nst_jax.experiments.correspondence --config=configs/correspondence.py

The paper uses five dogs. The two bundled photographs with a face, a woman's and a cat's, are only a
demonstration: they form a single pair, so there is no spread. To use your own pictures, mark their parts in a
file like correspondence.json. Lower values mean higher similarity. Expected with slim, at conv4_1 and
conv5_1: eyes 0.15 and 0.27, nose 0.25 and 0.37, random masks 0.26 and 0.38. Takes ten seconds on two CPU
cores.

Note that masks at the same position affect the same features even in an untrained network. On five dogs with
aligned heads, random filters give 0.09 for the eyes at conv4_1 against 0.16 for random masks; slim gives 0.14
against 0.23. Compare with --config.network.weights=random before drawing conclusions.
"""

from pathlib import Path

from ml_collections import ConfigDict


def get_config() -> ConfigDict:
    config = ConfigDict()
    config.masks = str(Path(__file__).with_suffix(".json"))
    config.layers = ("conv4_1", "conv5_1")
    config.size = 224  # side of the square that the network sees, pixels
    config.draws = 10  # random boxes per picture, for the last row of the table
    config.seed = 0
    config.network = ConfigDict({"arch": "slim", "weights": "auto", "pool": "max"})
    return config
