"""Galerne, Raad, Lezama & Morel 2024, "Scaling Painting Style Transfer" (SPST, arXiv 2212.13459).

    python -m nst_jax.run --config=configs/spst.py --config.content=photo.jpg --config.style=painting.jpg
    python -m nst_jax.run --config=configs/spst.py --config.size=2048 --config.tile=512 ...

Gatys' released objective, with the means and standard deviations of all filters beside the Gram matrices,
which keeps colours and contrast from drifting. Max pooling, from the content, coarse to fine by factors of 2.

Variants:
    configs/spst.py             SPST-fast, the default of the authors: 600 steps, then 200
    configs/spst.py:baseline    SPST-baseline: 600 steps, then 300

What differs: the authors count evaluations of L-BFGS without a line search, this package counts steps of 1.0
to 1.1 evaluations. They start at the first scale with a shorter side below 1024 pixels, here it is half of
`size`. Their L-BFGS remembers 100 steps at the first scale and 10 after it, here it is 10. For more scales,
set `scales` and `optimizer.steps`, such as (0.25, 0.5, 1.0) and (600, 200, 66).
"""

from ml_collections import ConfigDict

from nst_jax.configs import gatys
from nst_jax.errors import unknown

STEPS = {"baseline": (600, 300), "fast": (600, 200)}


def get_config(variant: str = "fast") -> ConfigDict:
    if variant not in STEPS:
        raise unknown("--config variant", variant, STEPS)
    config = gatys.get_config("released")  # content mse of conv4_2, Gram matrices with 1e3 / n^2
    config.style_losses = ConfigDict({"gram": 1.0, "moments": 1.0})
    config.loss_layers = ConfigDict({"moments": dict.fromkeys(config.style_layers, 1e4)})
    config.optimizer.steps = STEPS[variant]
    return config
