"""Zeiler & Fergus 2013 (arXiv 1311.2901), Table 1: do the same parts do the same in different pictures?

    python -m experiments.correspondence --config=configs/correspondence.py --workdir=runs/correspondence

The paper has five dogs; the two bundled photographs with a face, a woman's and a cat's, are a demonstration
only: one pair, and so no spread. Mark pictures of your own in a file like correspondence.json. Less is more
alike; with slim at conv4_1 and conv5_1 the eyes are at 0.15 and 0.27, the nose at 0.25 and 0.37, random
masks at 0.26 and 0.38. Ten seconds on two CPU cores.

Mind that masks at the same place reach the same features, whatever these are: on five dogs, their heads cut
out alike, also random filters have the eyes (0.09 at conv4_1, random masks 0.16) more alike than random
masks; slim has 0.14 and 0.23. So compare with --config.network.weights=random before concluding.
"""

from pathlib import Path

from ml_collections import ConfigDict


def get_config() -> ConfigDict:
    config = ConfigDict()
    config.masks = str(Path(__file__).with_suffix(".json"))
    config.layers = ("conv4_1", "conv5_1")
    config.size = 224  # side of the square that the network sees, pixels
    config.draws = 10  # random boxes in each picture, the table's last row
    config.seed = 0
    config.network = ConfigDict({"arch": "slim", "weights": "auto", "pool": "max"})
    return config
