"""Activation maximisation: pictures that activate units, found by optimisation.

    python -m experiments.maximize --config=configs/maximize.py --workdir=runs/maximize
    python -m experiments.maximize --config=configs/maximize.py --config.layer=conv4_1 --config.units='(3,7)'

Method of Olah, Mordvintsev & Schubert 2017, for twelve units of conv3_1 of the bundled network, without a
download; for VGG-19, use `--config.network.arch=vgg19`. Expected: each picture is filled with the pattern
that its unit detects, such as stripes of one direction, colours or corners, and in deep layers combinations
of these. Takes 42 s on two CPU cores.
"""

from ml_collections import ConfigDict


def get_config() -> ConfigDict:
    config = ConfigDict()
    config.layer = "conv3_1"
    config.units = tuple(range(12))
    config.size = 128  # side of the pictures, pixels
    config.seed = 0
    config.jitter = 8  # maximum random shift before each step, pixels
    config.tv_weight = 20.0
    config.network = ConfigDict({"arch": "slim", "weights": "auto", "pool": "avg", "normalize": False})
    config.optimizer = ConfigDict({"name": "adam", "steps": 200, "learning_rate": 0.05})
    return config
