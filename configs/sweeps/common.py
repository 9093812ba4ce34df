"""Shared settings of the sweeps: those of the paper, and `:quick`, which takes minutes on two CPU cores.

Two choices make the pictures of `:quick` resemble the paper's at a quarter of the size. First, beta is 1/16:
the content term is a sum over positions, of which there are a sixteenth, while the style term is a mean. The
same alpha then balances the two terms as it does at 512 px. Second, where photograph and painting compete, it
goes from coarse to fine, because a hundred steps from noise at full size only form the fine structure. Some
grain from the noise remains.
"""

from ml_collections import ConfigDict

from configs import gatys
from nst_jax.errors import unknown

STYLE_LAYERS = ("conv1_1", "conv2_1", "conv3_1", "conv4_1", "conv5_1")
VARIANTS = ("paper", "quick")


def base(variant: str, coarse_to_fine: bool = True) -> ConfigDict:
    """Return configs/gatys.py, for 'quick' with the network `slim` and 100 steps at up to 128 px."""
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
    """Give each of n layers the weight 1 / n, as in the paper."""
    return dict.fromkeys(layers, 1 / len(layers))


def cumulative_subsets() -> dict[str, dict[str, float]]:
    """Return the five sets of style layers of Figs 1 and 3, each one layer deeper, by their deepest layer."""
    return {layer: equal_weights(STYLE_LAYERS[:n]) for n, layer in enumerate(STYLE_LAYERS, 1)}
