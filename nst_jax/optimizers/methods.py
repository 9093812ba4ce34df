"""The optimisation methods by name. To add one, write it in a file of its own and list it in `METHODS`."""

from collections.abc import Callable

from nst_jax.config import OptimizerConfig
from nst_jax.errors import unknown
from nst_jax.optimizers import first_order, lbfgs
from nst_jax.optimizers.method import Method

METHODS: dict[str, Callable[[OptimizerConfig], Method]] = {
    "lbfgs": lambda config: lbfgs.lbfgs(config.memory, config.bands),
    "adam": first_order.adam,
    "gd": lambda config: first_order.gradient_descent(),
}


def find_method(config: OptimizerConfig) -> Method:
    """The method that `config` describes.

    Raises:
        UserError: there is no such method.
    """
    if config.name not in METHODS:
        raise unknown("optimizer.name", config.name, METHODS)
    return METHODS[config.name](config)
