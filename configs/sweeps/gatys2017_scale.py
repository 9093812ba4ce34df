"""Gatys et al. 2017, "Controlling Perceptual Factors" (arXiv 1611.07865), Fig 4: control of scale.

    python -m nst_jax.sweep --config=configs/sweeps/gatys2017_scale.py
    python -m nst_jax.sweep --config=configs/sweeps/gatys2017_scale.py:quick

A painting with fine strokes, a painting with large forms, and two naive mixtures of them in one run: the
lower layers from the fine one and the others from the coarse one, and the average of both. The paper's own
mixture makes a new style picture first: see configs/mix_scales.py.
"""

from collections.abc import Callable

from ml_collections import ConfigDict

from nst_jax.configs.sweeps import common

FINE, COARSE = {"image": "sample:swirls"}, {"image": "sample:stained_glass"}


def get_config(variant: str = "paper") -> ConfigDict:
    config = common.base(variant)
    config.content = "sample:coffee"
    config.init = "content"
    return config


def sweep(add: Callable[..., None]) -> None:
    fine, coarse = common.STYLE_LAYERS[:2], common.STYLE_LAYERS[2:]
    add("fine", styles={"fine": FINE})
    add("coarse", styles={"coarse": COARSE})
    add("average", styles={"fine": FINE, "coarse": COARSE})
    add("by layer", styles={"fine": FINE | {"layers": fine}, "coarse": COARSE | {"layers": coarse}})
