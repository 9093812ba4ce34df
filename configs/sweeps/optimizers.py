"""L-BFGS against Adam and plain gradient descent: loss over evaluations, and over seconds.

    python -m nst_jax.sweep --config=configs/sweeps/optimizers.py
    python -m nst_jax.sweep --config=configs/sweeps/optimizers.py:quick

The same picture, objective and number of steps; the curves are in index.html. The 2015 paper has gradient
descent, CVPR 2016 L-BFGS. The rate of gradient descent is a guess, cut tenfold whenever the loss
overflows: the gradient is about 1e9 times Adam's step here. Expected: L-BFGS lowest for its evaluations,
Adam near, gradient descent far off: after 101 evaluations of `:quick` 6.1e5, 7.5e5, 9.4e6, in 100 s on two
CPU cores beside other work.
"""

from collections.abc import Callable

from ml_collections import ConfigDict

from configs.sweeps import common

RATES = {"lbfgs": 1.0, "adam": 0.02, "gd": 1e-9}  # lbfgs searches its own


def get_config(variant: str = "paper") -> ConfigDict:
    config = common.base(variant, coarse_to_fine=False)  # one scale, so one curve
    config.log_every = 5
    return config


def sweep(add: Callable[..., None]) -> None:
    for name, rate in RATES.items():
        add(name, **{"optimizer.name": name, "optimizer.learning_rate": rate})
