"""The optimisation methods by name. To add one, write it in a file of its own and list it in `METHODS`."""

from collections.abc import Callable

from nst_jax.config import OptimizerConfig
from nst_jax.errors import unknown
from nst_jax.optimizers import first_order, lbfgs
from nst_jax.optimizers.method import Method
from nst_jax.optimizers.rescaling import in_own_units

# The first step of L-BFGS is the gradient, doubled up to 20 times; Adam adds 1e-8 to the roots of squares.
METHODS: dict[str, Callable[[OptimizerConfig], Method]] = {
    "lbfgs": lambda config: in_own_units(lbfgs.lbfgs(config.memory, config.bands), smallest=2.0**-20),
    "adam": lambda config: in_own_units(first_order.adam(config), smallest=2.0**-30),
    "nadam": lambda config: in_own_units(first_order.adam(config, nesterov=True), smallest=2.0**-30),
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
