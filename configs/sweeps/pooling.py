"""Average against maximum pooling (Gatys et al. 2015, 'Methods', find the former more appealing).

    python -m nst_jax.sweep --config=configs/sweeps/pooling.py
    python -m nst_jax.sweep --config=configs/sweeps/pooling.py:quick

Two seeds of each. Two programs, as the network differs. Maximum pooling makes larger activations, so at
one ratio the two balance content and style differently: compare strokes, not how much of the photograph
is left. `:quick`, three minutes on two CPU cores beside other work: average pooling has cleaner strokes and
truer colours; slim was taught with it, VGG-19 with maximum pooling.
"""

from collections.abc import Callable

from ml_collections import ConfigDict

from configs.sweeps import common


def get_config(variant: str = "paper") -> ConfigDict:
    return common.base(variant)


def sweep(add: Callable[..., None]) -> None:
    for pool in ("avg", "max"):
        for seed in range(2):
            add(pool, f"seed {seed}", **{"network.pool": pool, "seed": seed})
