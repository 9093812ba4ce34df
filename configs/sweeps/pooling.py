"""Comparison of average and max pooling; Gatys et al. 2015 ("Methods") prefer average pooling.

    python -m nst_jax.sweep --config=configs/sweeps/pooling.py
    python -m nst_jax.sweep --config=configs/sweeps/pooling.py:quick

Two seeds for each type of pooling; two programs are compiled, because the network differs. Max pooling
produces larger activations, so the same ratio balances content and style differently: compare the strokes,
not how much of the photograph remains. Expected with `:quick`: average pooling gives cleaner strokes and
more faithful colours; slim was trained with it, VGG-19 with max pooling.
"""

from collections.abc import Callable

from ml_collections import ConfigDict

from nst_jax.configs.sweeps import common


def get_config(variant: str = "paper") -> ConfigDict:
    return common.base(variant)


def sweep(add: Callable[..., None]) -> None:
    for pool in ("avg", "max"):
        for seed in range(2):
            add(pool, f"seed {seed}", **{"network.pool": pool, "seed": seed})
