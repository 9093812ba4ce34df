"""What the sweeps share: the paper's settings, and `:quick`, small enough for two CPU cores and minutes.

Two things keep `:quick` like the paper's pictures at a quarter of the size. The content term is a sum over
positions, a sixteenth of them here, the style term a mean: so beta is 1/16, and one alpha balances the two as
it does at 512 px. And it goes from coarse to fine where photograph and painting compete, as a hundred steps
from noise at full size settle only the fine structure. A grain of the noise stays.
"""

from ml_collections import ConfigDict

from configs import gatys
from nst_jax.errors import unknown

STYLE_LAYERS = ("conv1_1", "conv2_1", "conv3_1", "conv4_1", "conv5_1")
VARIANTS = ("paper", "quick")


def base(variant: str, coarse_to_fine: bool = True) -> ConfigDict:
    """configs/gatys.py, or with 'quick' the same with the network `slim` and 100 steps at up to 128 px."""
    if variant not in VARIANTS:
        raise unknown("--config variant", variant, VARIANTS)
    config = gatys.get_config()
    if variant == "quick":
        config.network.arch = "slim"
        config.size = 128
        config.style_weight = 1 / 16
        config.scales = (0.5, 1.0) if coarse_to_fine else (1.0,)
        config.optimizer.steps = 100 // len(config.scales)
    return config


def equal_weights(layers: tuple[str, ...]) -> dict[str, float]:
    """Each layer at 1 / their number, as in the paper."""
    return dict.fromkeys(layers, 1 / len(layers))


def cumulative_subsets() -> dict[str, dict[str, float]]:
    """The five sets of style layers of Figs 1 and 3, each one layer deeper, by the name of the last."""
    return {layer: equal_weights(STYLE_LAYERS[:n]) for n, layer in enumerate(STYLE_LAYERS, 1)}
