"""VGG-19 against the embedded network slim and against random filters.

    python -m nst_jax.sweep --config=configs/sweeps/networks.py
    python -m nst_jax.sweep --config=configs/sweeps/networks.py:quick

The same content, style and seed. Random filters carry texture (He, Wang & Hopcroft 2016) but no objects;
slim is trained to give VGG-19's pictures at a fraction of the work. table.csv judges all three by one
network; it and the sheet name the network really used, as `auto` falls back to slim without a download.
`:quick`, so without VGG-19, five minutes on two CPU cores beside other work, most of them for the random
filters, which are as wide as VGG-19's: slim's has the cat and strokes, theirs patches of the right colours.
"""

from collections.abc import Callable

from ml_collections import ConfigDict

from configs.sweeps import common

NETWORKS = {"vgg19": ("vgg19", "auto"), "slim": ("slim", "auto"), "random": ("vgg19", "random")}


def get_config(variant: str = "paper") -> ConfigDict:
    return common.base(variant)


def sweep(add: Callable[..., None]) -> None:
    for label, (arch, weights) in NETWORKS.items():
        add(label, **{"network.arch": arch, "network.weights": weights})
