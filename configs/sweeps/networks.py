"""One picture with every architecture at hand, trained and random, from layers of matched depth.

    python -m nst_jax.sweep --config=configs/sweeps/networks.py
    python -m nst_jax.sweep --config=configs/sweeps/networks.py:quick

All start from the same photograph and optimise the style alone, because a ratio alpha/beta would mean another
balance for each network. A network is painted with trained weights if they are in the cache
(`python -m nst_jax.weights fetch squeezenet1_0-torchvision`) or listed in FILES; slim always is. Random
filters reproduce texture (He, Wang & Hopcroft 2016). table.csv measures all pictures with one network:
`neutral/sliced` is a sliced Wasserstein distance to the painting as a share of the photograph's, which no run
optimises, and `ssim` tells how much of the photograph is left.

With NST_REFERENCE_DATA, the VGG-19 and the SqueezeNet in its folder `weights` are used.
"""

import os
from collections.abc import Callable
from pathlib import Path

from ml_collections import ConfigDict

from nst_jax.configs.sweeps import common
from nst_jax.weights import cache, registry

# Trained weights that are not in the cache: architecture -> file.
FILES: dict[str, str] = {}
if "NST_REFERENCE_DATA" in os.environ:
    _WEIGHTS = Path(os.environ["NST_REFERENCE_DATA"]) / "weights"
    FILES = {
        "vgg19": str(_WEIGHTS / "vgg19_8bit.bin"),
        "squeezenet1_0": str(_WEIGHTS / "squeezenet_v1_0_deepcompressed.safetensors"),
    }
# Layers whose receptive fields are closest to those of VGG's convB_1: 3, 10, 24, 68 and 156 pixels.
LAYERS = {
    "vgg19": common.STYLE_LAYERS,
    "slim": common.STYLE_LAYERS,
    "squeezenet1_0": ("conv1", "pool1", "fire3", "fire6", "fire9"),  # 7, 11, 27, 75, 155
    "squeezenet1_1": ("conv1", "pool1", "fire3", "fire5", "fire7"),  # 3, 7, 23, 63, 143
    "resnet18": ("conv1", "pool1", "block2_1", "block3_1", "block4_1"),  # 7, 11, 27, 67, 147
}


def get_config(variant: str = "paper") -> ConfigDict:
    config = common.base(variant)
    if variant == "quick":  # smaller and shorter than in other sweeps, for VGG-19's sake
        config.size = 128
        config.optimizer.steps = 50
    config.network.arch = "slim"
    config.network.pool = "max"  # that of the training, which SqueezeNet and ResNet need
    config.init = "content"
    config.content_weight = 0.0
    return config


def sweep(add: Callable[..., None]) -> None:
    for arch, layers in LAYERS.items():
        fields = {
            "network.arch": arch,
            "style_layers": common.equal_weights(layers),
            "content_layers": {layers[-1]: 0.0},  # the default layer does not exist in each
        }
        if trained := trained_weights(arch):
            add(arch, "trained", **fields, **{"network.weights": trained})
        add(arch, "random", **fields, **{"network.weights": "random"})


def trained_weights(arch: str) -> str | None:
    """Return the name or the file of trained weights of `arch`; None if they are not at hand."""
    cached = (entry.name for entry in registry.of_arch(arch) if cache.path_of(entry).exists())
    return FILES.get(arch) or ("auto" if arch == "slim" else next(cached, None))
