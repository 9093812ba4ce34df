"""Gatys et al. 2015 (arXiv 1508.06576), Fig 1: style reconstructions from subsets of layers.

    python -m nst_jax.sweep --config=configs/sweeps/gatys2015_fig1_style.py
    python -m nst_jax.sweep --config=configs/sweeps/gatys2015_fig1_style.py:quick

From white noise, with the style term alone: on conv1_1, then conv1_1 and conv2_1, up to all five layers, each
of n layers with weight 1 / n; the original network, without normalisation. Expected: the colours and strokes
of the painting without its objects, in larger structures as deeper layers are included. `:quick` gives dots
from conv1_1, short strokes with conv2_1, and whole stars and waves from conv3_1 on.
"""

from collections.abc import Callable

from ml_collections import ConfigDict

from nst_jax.configs.sweeps import common


def get_config(variant: str = "paper") -> ConfigDict:
    config = common.base(variant, coarse_to_fine=False)
    config.content_weight = 0.0
    return config


def sweep(add: Callable[..., None]) -> None:
    for deepest, layers in common.cumulative_subsets().items():
        add(f"up to {deepest}", style_layers=layers)
