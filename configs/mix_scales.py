"""Fine strokes of one painting with the large forms of another: Gatys et al. 2017 (arXiv 1611.07865), Fig 4.

    python -m nst_jax.experiments.mix_scales --config=configs/mix_scales.py --workdir=runs/mix

First the coarse painting becomes a new style: it is optimised for the statistics of the fine one at the lower
layers, without any content. Then the new style is transferred. `naive` is the same in one run: lower layers
from the fine painting, the others from the coarse one.
"""

from ml_collections import ConfigDict

from nst_jax.configs import quick


def get_config() -> ConfigDict:
    config = ConfigDict()
    config.fine = "sample:swirls"
    config.coarse = "sample:stained_glass"
    config.fine_layers = ("conv1_1", "conv2_1")
    config.texture_steps = 150  # at full size
    config.transfer = quick.get_config()
    config.transfer.content = "sample:coffee"
    return config
