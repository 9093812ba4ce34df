"""Gatys et al., CVPR 2016, Fig 5: matching the content at a low or at a high layer.

    python -m nst_jax.sweep --config=configs/sweeps/cvpr2016_fig5.py
    python -m nst_jax.sweep --config=configs/sweeps/cvpr2016_fig5.py:quick

Content conv2_2 or conv4_2, alpha/beta = 1e-3, style on five layers. Expected: with conv2_2, the fine
structure of the photograph remains, and the painting only covers it; with conv4_2, edges and colours follow
the painting.
"""

from collections.abc import Callable

from ml_collections import ConfigDict

from nst_jax.configs.sweeps import common


def get_config(variant: str = "paper") -> ConfigDict:
    config = common.base(variant)
    config.content_weight = 1e-3
    return config


def sweep(add: Callable[..., None]) -> None:
    for layer in ("conv2_2", "conv4_2"):
        add(layer, content_layers={layer: 1.0})
