"""The choice of an evaluator."""

from nst_jax.devices.split import Split
from nst_jax.losses.features.evaluator import Evaluator
from nst_jax.losses.features.strips import in_strips
from nst_jax.losses.features.tiled import tiled
from nst_jax.losses.features.whole import WHOLE


def chosen(tile: int, split: Split | None = None) -> Evaluator:
    """The evaluator with tiles of a side of `tile` pixels unless it is 0, on the devices of `split`."""
    if split:
        return in_strips(split, tile)
    return tiled(tile) if tile else WHOLE
