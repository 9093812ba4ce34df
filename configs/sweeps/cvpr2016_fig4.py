"""Gatys et al., CVPR 2016, Fig 4: effect of the ratio alpha/beta.

    python -m nst_jax.sweep --config=configs/sweeps/cvpr2016_fig4.py
    python -m nst_jax.sweep --config=configs/sweeps/cvpr2016_fig4.py:quick

alpha/beta = 1e-4, 1e-3, 1e-2, 1e-1; content conv4_2, style on five layers, the original network.
Expected: from a texture of the painting with hardly a trace of the photograph to a faintly tinted photograph.
`:quick` shows the second half of this: at 1e-4 the cat is still plain to see.
"""

from collections.abc import Callable

from ml_collections import ConfigDict

from nst_jax.configs.sweeps import common

RATIOS = (1e-4, 1e-3, 1e-2, 1e-1)


def get_config(variant: str = "paper") -> ConfigDict:
    return common.base(variant)


def sweep(add: Callable[..., None]) -> None:
    for ratio in RATIOS:
        add(ratio, content_weight=ratio)
