"""Comparison of L-BFGS, Adam and plain gradient descent: loss against evaluations and against seconds.

    python -m nst_jax.sweep --config=configs/sweeps/optimizers.py
    python -m nst_jax.sweep --config=configs/sweeps/optimizers.py:quick

All use the same picture, objective and number of steps; the curves are in index.html. The 2015 paper uses
gradient descent, CVPR 2016 uses L-BFGS. Near the gray start the gradient is small, later it is not: the rate
of gradient descent is the largest power of ten that ends well here, and it is divided by ten whenever the
loss overflows. Expected: per evaluation, L-BFGS reaches the lowest loss, Adam is close, and gradient descent
is behind. With `:quick`, 150 steps end at 4.8e5, 6.2e5 and 9.4e5, after 163, 151 and 151 evaluations.
"""

from collections.abc import Callable

from ml_collections import ConfigDict

from nst_jax.configs.sweeps import common

RATES = {"lbfgs": 1.0, "adam": 0.02, "gd": 1e-5}  # ignored by lbfgs, which uses a line search


def get_config(variant: str = "paper") -> ConfigDict:
    config = common.base(variant, coarse_to_fine=False)  # one scale, for continuous curves
    config.log_every = 5
    return config


def sweep(add: Callable[..., None]) -> None:
    for name, rate in RATES.items():
        add(name, **{"optimizer.name": name, "optimizer.learning_rate": rate})
