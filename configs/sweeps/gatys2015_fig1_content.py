"""Gatys et al. 2015 (arXiv 1508.06576), Fig 1, content reconstructions: what each layer knows of a picture.

    python -m nst_jax.sweep --config=configs/sweeps/gatys2015_fig1_content.py
    python -m nst_jax.sweep --config=configs/sweeps/gatys2015_fig1_content.py:quick

From white noise, the content term alone, at one layer each: conv1_1, conv2_1, conv3_1, conv4_1, conv5_1
of the original, un-normalised network. Expected: all but perfect from the lower layers; from the higher
ones the objects stay where they are and exact pixel values are lost. `:quick`, a minute on two CPU cores
beside other work, shows that too; at conv5_1 its hundred steps leave more of the noise than of the cat.
"""

from collections.abc import Callable

from ml_collections import ConfigDict

from configs.sweeps import common


def get_config(variant: str = "paper") -> ConfigDict:
    config = common.base(variant, coarse_to_fine=False)
    config.content_weight = 1.0
    config.style_weight = 0.0
    return config


def sweep(add: Callable[..., None]) -> None:
    for layer in common.STYLE_LAYERS:  # the content layers of this figure have the same names
        add(layer, content_layers={layer: 1.0})
