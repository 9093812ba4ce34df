"""Ablation of the style loss: one photo, three paintings, every loss, and what each loss says of the others.

    python -m nst_jax.sweep --config=configs/sweeps/style_losses.py
    python -m nst_jax.sweep --config=configs/sweeps/style_losses.py:quick

Beside the sheet, cross_table.csv scores every picture by every loss, and by a neutral score that none of them
optimises. Losses differ in scale: their weights make the terms of all losses begin at the same order of
magnitude. Patches are compared at conv3_1 and conv4_1 alone, as in Li & Wand 2016; Gram matrices with moments
are those of Galerne et al. 2024.
"""

from collections.abc import Callable

from ml_collections import ConfigDict

from nst_jax.configs import gatys
from nst_jax.configs.sweeps import common

STYLES = ("swirls", "stained_glass", "sunset")
# Weights of the authors for the fourth power of activations, and ones for their squares.
FOURTH = dict(gatys.get_config("released_512").style_layers)
SQUARES = {"conv1_1": 400.0, "conv2_1": 130.0, "conv3_1": 130.0, "conv4_1": 60.0, "conv5_1": 600.0}
LOSSES = {
    "gram": {"style_losses": {"gram": 1.0}},
    "covariance": {"style_losses": {"covariance": 4.0}},
    "moments": {"style_losses": {"moments": 1.0}, "style_layers": SQUARES},
    "gram + moments": {
        "style_losses": {"gram": 1.0, "moments": 1.0},
        "loss_layers": {"moments": SQUARES},
    },
    "w2": {"style_losses": {"w2": 1.0}, "style_layers": SQUARES},
    "sliced": {"style_losses": {"sliced": 1.0}, "style_layers": SQUARES},
    "histogram": {"style_losses": {"histogram": 1.0}, "style_layers": SQUARES},
    "mrf": {
        "style_losses": {"mrf": 1.0},
        "style_layers": {layer: SQUARES[layer] for layer in ("conv3_1", "conv4_1")},
    },
}


def get_config(variant: str = "paper") -> ConfigDict:
    config = common.base(variant)
    config.content = "sample:coffee"
    config.init = "content"
    config.content_loss = "mean"
    config.content_weight = 2.0
    config.style_weight = 1.0
    config.style_layers = ConfigDict(FOURTH)
    config.scales = (0.5, 1.0)
    config.optimizer.steps = (100, 60) if variant == "quick" else (500, 200)
    return config


def sweep(add: Callable[..., None]) -> None:
    for name, fields in LOSSES.items():
        for style in STYLES:
            add(name, style, style=f"sample:{style}", **fields)
