"""Gatys et al., CVPR 2016, Fig 6: effect of the initial image.

    python -m nst_jax.sweep --config=configs/sweeps/cvpr2016_fig6.py
    python -m nst_jax.sweep --config=configs/sweeps/cvpr2016_fig6.py:quick

From the content, from the style, and from white noise with four seeds; alpha/beta = 1e-3. Expected: similar
results; the first two are slightly biased towards their initial image, and the other four differ in the
positions of the strokes.
"""

from collections.abc import Callable

from ml_collections import ConfigDict

from nst_jax.configs.sweeps import common


def get_config(variant: str = "paper") -> ConfigDict:
    config = common.base(variant)
    config.content_weight = 1e-3
    return config


def sweep(add: Callable[..., None]) -> None:
    add("content", init="content")
    add("style", init="style")
    for seed in range(4):
        add(f"noise {seed}", init="noise", seed=seed)
