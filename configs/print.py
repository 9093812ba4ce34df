"""A picture for print: 4096 px and more, from coarse to fine, in exact tiles, with 16 bits per colour.

    python -m nst_jax.run --config=configs/print.py --config.content=photo.jpg --config.style=painting.jpg
    python -m nst_jax.run --config=configs/print.py:8064 ...

The variant is the longer side in pixels; it decides the number of scales, so set it here and not by
--config.size. The schedule is "SPST-fast" of Galerne, Raad, Lezama & Morel 2024, "Scaling Painting Style
Transfer": every scale doubles the size and takes a third of the steps of the one before, but at least 30. The
losses are those of configs/quick.py. The painting should have as many pixels as the result: its strokes are
never enlarged. Where memory is short, L-BFGS remembers fewer steps: see docs/scaling.md.
"""

from ml_collections import ConfigDict

from nst_jax.configs import quick
from nst_jax.errors import UserError

COARSEST = 1024  # longer side of the first scale at most, pixels
FIRST_STEPS, LEAST_STEPS = 600, 30


def get_config(variant: str = "4096") -> ConfigDict:
    if not variant.isdecimal():
        raise UserError(f"--config variant: {variant!r} is not a number of pixels, such as 4096")
    config = quick.get_config()
    config.size = int(variant)
    halvings = 0
    while config.size > COARSEST * 2**halvings:
        halvings += 1
    config.scales = tuple(0.5**scale for scale in range(halvings, -1, -1))
    config.optimizer.steps = tuple(max(FIRST_STEPS // 3**scale, LEAST_STEPS) for scale in range(halvings + 1))
    config.content_weight = 0.15  # less than in quick, since more steps keep more of the photo
    config.tile = 512
    config.optimizer.least_memory = 4  # of 10; each takes 24 bytes per pixel
    config.output = "png16"
    return config
