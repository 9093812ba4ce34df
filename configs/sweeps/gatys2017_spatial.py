"""Gatys et al. 2017, "Controlling Perceptual Factors" (arXiv 1611.07865), Figs 2 to 4: spatial control.

    python -m nst_jax.sweep --config=configs/sweeps/gatys2017_spatial.py
    python -m nst_jax.sweep --config=configs/sweeps/gatys2017_spatial.py:quick

Regions of the photograph take their style from regions of a painting, or from different paintings: the sky of
a sunset for the cup and its water for the table; stained glass for the cup and a sunset for the table. By
guided Gram matrices, and by guided sums, which are cheaper and weaker.
"""

from collections.abc import Callable

from ml_collections import ConfigDict

from nst_jax.configs.sweeps import common

CUP, TABLE = "sample:coffee_cup", "sample:coffee_table"
ONE_STYLE = {
    "sky": {"image": "sample:sunset", "mask": "sample:sunset_sky", "region": CUP},
    "water": {"image": "sample:sunset", "mask": "sample:sunset_water", "region": TABLE},
}
TWO_STYLES = {
    "glass": {"image": "sample:stained_glass", "region": CUP},
    "sunset": {"image": "sample:sunset", "region": TABLE},
}
# The paper's weights of sums and Gram matrices, 1e9 and 1e3 on mean squares; a Gram loss has a quarter.
SUMS = {"sums": 2.5e5, "gram": 0.0}


def get_config(variant: str = "paper") -> ConfigDict:
    config = common.base(variant)
    config.content = "sample:coffee"
    config.init = "content"
    return config


def sweep(add: Callable[..., None]) -> None:
    add("no regions", "Gram matrices", styles={"sunset": {"image": "sample:sunset"}})
    for name, styles in {"one style": ONE_STYLE, "two styles": TWO_STYLES}.items():
        add(name, "Gram matrices", styles=styles)
        add(name, "sums", styles=styles, style_losses=SUMS)
