"""Shared settings of the sweeps: those of the paper, and `:quick`, which takes minutes on two CPU cores.

`:quick` paints at 256 px with `slim`. Its beta is 1/4: the content term is a sum over positions, of which
there are a quarter of those at 512 px, while the style term is a mean. The same alpha then balances the two.
Where photograph and painting compete, it goes from coarse to fine, in which large forms settle quickly.
"""

from ml_collections import ConfigDict

from nst_jax.configs import gatys
from nst_jax.errors import unknown

STYLE_LAYERS = ("conv1_1", "conv2_1", "conv3_1", "conv4_1", "conv5_1")
VARIANTS = ("paper", "quick")


def base(variant: str, coarse_to_fine: bool = True) -> ConfigDict:
    """Return configs/gatys.py, for 'quick' with the network `slim`, at 256 px."""
    if variant not in VARIANTS:
        raise unknown("--config variant", variant, VARIANTS)
    config = gatys.get_config()
    if variant == "quick":
        config.network.arch = "slim"
        config.size = 256
        config.style_weight = 1 / 4
        config.scales = (0.5, 1.0) if coarse_to_fine else (1.0,)
        config.optimizer.steps = (120, 80) if coarse_to_fine else 150
    return config


def equal_weights(layers: tuple[str, ...]) -> dict[str, float]:
    """Give each of n layers the weight 1 / n, as in the paper."""
    return dict.fromkeys(layers, 1 / len(layers))


def cumulative_subsets() -> dict[str, dict[str, float]]:
    """Return the five sets of style layers of Figs 1 and 3, each one layer deeper, by their deepest layer."""
    return {layer: equal_weights(STYLE_LAYERS[:n]) for n, layer in enumerate(STYLE_LAYERS, 1)}
