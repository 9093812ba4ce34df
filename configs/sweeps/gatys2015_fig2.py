"""Gatys et al. 2015 (arXiv 1508.06576), Fig 2: one photograph in the styles of several paintings.

    python -m nst_jax.sweep --config=configs/sweeps/gatys2015_fig2.py --config.content=photo.jpg
    python -m nst_jax.sweep --config=configs/sweeps/gatys2015_fig2.py:quick

Content conv4_2; style conv1_1 ... conv5_1 with weight 1/5 each. The paper uses alpha/beta = 1e-3 for
Shipwreck, Starry Night and Scream, and 1e-4 for Femme nue assise and Composition VII. Its paintings cannot be
redistributed, so this sweep uses the bundled ones, with ratios chosen by eye. For other paintings, edit
PAINTINGS, or use `--config=configs/gatys.py --vary=style=a.jpg,b.jpg`. Expected: the arrangement of the
photograph with the colours and strokes of each painting; stained glass, the strongest style, preserves the
least of the photograph. `:quick` takes a minute on two CPU cores shared with other work.
"""

from collections.abc import Callable

from ml_collections import ConfigDict

from nst_jax.configs.sweeps import common

PAINTINGS = {
    "sample:swirls": 1e-4,
    "sample:sunset": 1e-4,
    "sample:stained_glass": 1e-3,
    "sample:ink_wash": 1e-4,
}


def get_config(variant: str = "paper") -> ConfigDict:
    return common.base(variant)


def sweep(add: Callable[..., None]) -> None:
    for painting, ratio in PAINTINGS.items():
        add(painting, style=painting, content_weight=ratio)
