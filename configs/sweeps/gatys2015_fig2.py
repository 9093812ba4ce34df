"""Gatys et al. 2015 (arXiv 1508.06576), Fig 2: one photograph in the styles of several paintings.

    python -m nst_jax.sweep --config=configs/sweeps/gatys2015_fig2.py --config.content=photo.jpg
    python -m nst_jax.sweep --config=configs/sweeps/gatys2015_fig2.py:quick

Content conv4_2; style conv1_1 ... conv5_1 at 1/5; alpha/beta is 1e-3 for the paper's Shipwreck, Starry
Night and Scream, 1e-4 for its Femme nue assise and Composition VII. The paper's paintings are not ours to
ship: these are the bundled ones, with ratios by eye; for others edit PAINTINGS, or
`--config=configs/gatys.py --vary=style=a.jpg,b.jpg`. Expected: the arrangement of the photograph, the colours
and strokes of each painting. Stained glass, the boldest, leaves least of the
photograph. `:quick` takes a minute on two CPU cores beside other work.
"""

from collections.abc import Callable

from ml_collections import ConfigDict

from configs.sweeps import common

PAINTINGS = {
    "sample:swirls": 1e-3,
    "sample:sunset": 1e-3,
    "sample:stained_glass": 1e-3,
    "sample:ink_wash": 1e-4,
}


def get_config(variant: str = "paper") -> ConfigDict:
    return common.base(variant)


def sweep(add: Callable[..., None]) -> None:
    for painting, ratio in PAINTINGS.items():
        add(painting, style=painting, content_weight=ratio)
