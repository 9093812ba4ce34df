"""Gatys et al. 2015 (arXiv 1508.06576), Fig 3: depth of the style against alpha/beta, 20 pictures.

    python -m nst_jax.sweep --config=configs/sweeps/gatys2015_fig3.py --config.style=composition_vii.jpg
    python -m nst_jax.sweep --config=configs/sweeps/gatys2015_fig3.py:quick

Rows: the style on conv1_1 alone, up to all five layers, each at 1 / their number. Columns: alpha/beta =
1e-5, 1e-4, 1e-3, 1e-2. Content conv4_2. Expected: larger, smoother structures down the rows; from left to
right the photograph comes forward and the painting goes. `:quick`, 20 pictures in a minute and a half on two
CPU cores beside other work, shows both; the last two rows differ little, and a grain of the noise stays.
"""

from collections.abc import Callable

from ml_collections import ConfigDict

from configs.sweeps import common

RATIOS = (1e-5, 1e-4, 1e-3, 1e-2)


def get_config(variant: str = "paper") -> ConfigDict:
    return common.base(variant)


def sweep(add: Callable[..., None]) -> None:
    for deepest, layers in common.cumulative_subsets().items():
        for ratio in RATIOS:
            add(deepest, ratio, style_layers=layers, content_weight=ratio)
