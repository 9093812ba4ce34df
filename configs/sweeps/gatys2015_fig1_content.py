"""Gatys et al. 2015 (arXiv 1508.06576), Fig 1: content reconstructions from different layers.

    python -m nst_jax.sweep --config=configs/sweeps/gatys2015_fig1_content.py
    python -m nst_jax.sweep --config=configs/sweeps/gatys2015_fig1_content.py:quick

From white noise, with the content term alone at one layer each: conv1_1, conv2_1, conv3_1, conv4_1, conv5_1
of the original network, without normalisation. Expected: almost perfect reconstructions from the lower
layers; from the higher layers, objects keep their positions but exact pixel values are lost.
"""

from collections.abc import Callable

from ml_collections import ConfigDict

from nst_jax.configs.sweeps import common


def get_config(variant: str = "paper") -> ConfigDict:
    config = common.base(variant, coarse_to_fine=False)
    config.content_weight = 1.0
    config.style_weight = 0.0
    return config


def sweep(add: Callable[..., None]) -> None:
    for layer in common.STYLE_LAYERS:  # this figure uses the same layers for content
        add(layer, content_layers={layer: 1.0})
