"""Ablation of the style loss: one photo, three paintings, every loss, and what each loss says of the others.

    python -m nst_jax.sweep --config=configs/sweeps/style_losses.py
    python -m nst_jax.sweep --config=configs/sweeps/style_losses.py:quick

Beside the sheet, cross_table.csv scores every picture by every loss, and by a neutral score that none of them
optimises. All losses are relative to the size of their targets, so that one content weight serves all.
Patches are compared at conv3_1 and conv4_1 alone, as in Li & Wand 2016; Gram matrices with moments are those
of configs/best.py.
"""

from collections.abc import Callable

from ml_collections import ConfigDict

from nst_jax.configs import quick
from nst_jax.configs.sweeps import common

STYLES = ("swirls", "stained_glass", "sunset")
PATCH_LAYERS = ("conv3_1", "conv4_1")
LOSSES = {
    "gram": {"gram": 1.0},
    "covariance": {"covariance": 1.0},
    "moments": {"moments": 1.0},
    "gram + moments": {"gram": 1 / 3, "moments": 2 / 3},
    "w2": {"w2": 1.0},
    "sliced": {"sliced": 1.0},
    "histogram": {"histogram": 1.0},
    "mrf": {"mrf": 1.0},
}


def get_config(variant: str = "paper") -> ConfigDict:
    config = common.base(variant)
    config.content = "sample:coffee"
    config.init = "content"
    config.relative_losses = True
    config.content_weight = 0.2
    config.style_weight = 1.0
    config.style_layers = ConfigDict(quick.STYLE_WEIGHTS)
    config.scales = (0.5, 1.0)
    config.optimizer.steps = (100, 60) if variant == "quick" else (500, 200)
    return config


def sweep(add: Callable[..., None]) -> None:
    for name, losses in LOSSES.items():
        layers = PATCH_LAYERS if name == "mrf" else tuple(quick.STYLE_WEIGHTS)
        weights = {layer: quick.STYLE_WEIGHTS[layer] for layer in layers}
        for style in STYLES:
            add(name, style, style=f"sample:{style}", style_losses=losses, style_layers=weights)
