"""Comparison of VGG-19, the bundled network slim, and random filters.

    python -m nst_jax.sweep --config=configs/sweeps/networks.py
    python -m nst_jax.sweep --config=configs/sweeps/networks.py:quick

All use the same content, style and seed. Random filters reproduce texture (He, Wang & Hopcroft 2016) but no
objects; slim is trained to give VGG-19's pictures at a fraction of the cost. table.csv measures all three
with one network. The table and the sheet name the network that was actually used, because `auto` falls back
to slim if VGG-19 cannot be downloaded. `:quick`, without VGG-19, takes five minutes on two CPU cores shared
with other work, mostly for the random filters, which are as wide as VGG-19's. With slim, the picture shows
the cat and strokes; with random filters, patches of the right colours.
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
