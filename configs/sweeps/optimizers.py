"""Comparison of L-BFGS, Adam and plain gradient descent: loss against evaluations and against seconds.

    python -m nst_jax.sweep --config=configs/sweeps/optimizers.py
    python -m nst_jax.sweep --config=configs/sweeps/optimizers.py:quick

All use the same picture, objective and number of steps; the curves are in index.html. The 2015 paper uses
gradient descent, CVPR 2016 uses L-BFGS. The learning rate of gradient descent is a guess, and is divided by
ten whenever the loss overflows; the gradient is about 1e9 times Adam's step here. Expected: per evaluation,
L-BFGS reaches the lowest loss, Adam is close, and gradient descent is far behind. After 101 evaluations,
`:quick` gives 6.1e5, 7.5e5 and 9.4e6; it takes 100 s on two CPU cores shared with other work.
"""

from collections.abc import Callable

from ml_collections import ConfigDict

from configs.sweeps import common

RATES = {"lbfgs": 1.0, "adam": 0.02, "gd": 1e-9}  # ignored by lbfgs, which uses a line search


def get_config(variant: str = "paper") -> ConfigDict:
    config = common.base(variant, coarse_to_fine=False)  # one scale, for continuous curves
    config.log_every = 5
    return config


def sweep(add: Callable[..., None]) -> None:
    for name, rate in RATES.items():
        add(name, **{"optimizer.name": name, "optimizer.learning_rate": rate})
