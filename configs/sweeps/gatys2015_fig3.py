"""Gatys et al. 2015 (arXiv 1508.06576), Fig 3: depth of the style layers against alpha/beta, 20 pictures.

    python -m nst_jax.sweep --config=configs/sweeps/gatys2015_fig3.py --config.style=composition_vii.jpg
    python -m nst_jax.sweep --config=configs/sweeps/gatys2015_fig3.py:quick

Rows: style on conv1_1 alone, up to all five layers, each of n layers with weight 1 / n. Columns: alpha/beta =
1e-5, 1e-4, 1e-3, 1e-2. Content conv4_2. Expected: larger, smoother structures from top to bottom; more of the
photograph and less of the painting from left to right. `:quick` shows both; the last two rows differ little.
Its 20 pictures take two minutes on two CPU cores shared with other work.
"""

from collections.abc import Callable

from ml_collections import ConfigDict

from nst_jax.configs.sweeps import common

RATIOS = (1e-5, 1e-4, 1e-3, 1e-2)


def get_config(variant: str = "paper") -> ConfigDict:
    return common.base(variant)


def sweep(add: Callable[..., None]) -> None:
    for deepest, layers in common.cumulative_subsets().items():
        for ratio in RATIOS:
            add(deepest, ratio, style_layers=layers, content_weight=ratio)
