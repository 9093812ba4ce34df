"""What the sweeps share: the paper's settings, and `:quick`, small enough for two CPU cores and minutes."""

from ml_collections import ConfigDict

from configs import gatys
from nst_jax.errors import unknown

STYLE_LAYERS = ("conv1_1", "conv2_1", "conv3_1", "conv4_1", "conv5_1")
VARIANTS = ("paper", "quick")


def base(variant: str) -> ConfigDict:
    """configs/gatys.py, or with 'quick' the same with the network `slim`, 128 px and 100 steps."""
    if variant not in VARIANTS:
        raise unknown("--config variant", variant, VARIANTS)
    config = gatys.get_config()
    if variant == "quick":
        config.network.arch = "slim"
        config.size = 128
        config.optimizer.steps = 100
    return config


def equal_weights(layers: tuple[str, ...]) -> dict[str, float]:
    """Each layer at 1 / their number, as in the paper."""
    return dict.fromkeys(layers, 1 / len(layers))


def cumulative_subsets() -> dict[str, dict[str, float]]:
    """The five sets of style layers of Figs 1 and 3, each one layer deeper, by the name of the last."""
    return {layer: equal_weights(STYLE_LAYERS[:n]) for n, layer in enumerate(STYLE_LAYERS, 1)}
