"""A good picture in under three minutes on two CPU cores, without a download.

    python -m nst_jax.run --config=configs/quick.py --config.content=photo.jpg --config.style=painting.jpg

Uses the bundled network `slim` instead of VGG-19, with the objective of configs/gatys.py:released. The
optimisation starts from the content picture and goes from coarse to fine: colours and strokes converge at
half size, where a step costs a quarter.
"""

from ml_collections import ConfigDict

from configs import gatys


def get_config() -> ConfigDict:
    config = gatys.get_config("released")
    config.size = 512
    config.network.arch = "slim"
    config.optimizer.steps = 80
    config.scales = (0.5, 1.0)
    return config
