"""What do units want to see? Pictures that make them fire, found by optimisation.

    python -m experiments.maximize --config=configs/maximize.py --workdir=runs/maximize
    python -m experiments.maximize --config=configs/maximize.py --config.layer=conv4_1 --config.units='(3,7)'

After Olah, Mordvintsev & Schubert 2017. Twelve units of the network that ships, conv3_1, with no download;
for VGG-19 `--config.network.arch=vgg19`. Each picture is filled with what fires its unit: stripes of one
direction, colours, corners, in a deep layer things put together from them. 42 s on two CPU cores.
"""

from ml_collections import ConfigDict


def get_config() -> ConfigDict:
    config = ConfigDict()
    config.layer = "conv3_1"
    config.units = tuple(range(12))
    config.size = 128
    config.seed = 0
    config.jitter = 8
    config.tv_weight = 20.0
    config.network = ConfigDict({"arch": "slim", "weights": "auto", "pool": "avg", "normalize": False})
    config.optimizer = ConfigDict({"name": "adam", "steps": 200, "learning_rate": 0.05})
    return config
