"""Gatys et al. 2017, "Controlling Perceptual Factors" (arXiv 1611.07865), Figs 5 and 6: colour control.

    python -m nst_jax.sweep --config=configs/sweeps/gatys2017_color.py
    python -m nst_jax.sweep --config=configs/sweeps/gatys2017_color.py:quick

The colours of the style; the luminance of the style alone, with the chroma of the content; and the style
recoloured like the content by three maps, which agree in mean and covariance and differ by a rotation.
Expected: strokes of the painting in all five; the colours of the photograph in the last four, exactly with
`luminance`, so that no new colours come in with the strokes.
"""

from collections.abc import Callable

from ml_collections import ConfigDict

from nst_jax.configs.sweeps import common


def get_config(variant: str = "paper") -> ConfigDict:
    config = common.base(variant)
    config.content = "sample:coffee"
    config.init = "content"
    return config


def sweep(add: Callable[..., None]) -> None:
    for color in ("style", "luminance", "chol", "pca", "sym"):
        add(color, color=color)
