"""Small objectives to descend on, and the descent in one call."""

import jax.numpy as jnp
import numpy as np

from nst_jax.config import OptimizerConfig
from nst_jax.optimizers.methods import find_method
from nst_jax.optimizers.optimizer import Optimizer

SHAPE = (1, 4, 5, 3)
TARGET = jnp.asarray(np.random.default_rng(0).uniform(size=SHAPE), jnp.float32)
CURVATURE = jnp.asarray(np.geomspace(1, 300, 60).reshape(SHAPE), jnp.float32)
START = jnp.zeros_like(TARGET)
MANY = jnp.int32(10**6)


def quadratic(shared, target, image):
    """An ill-conditioned bowl with its minimum, 0, at `target`."""
    return 0.5 * jnp.sum(CURVATURE * (image - target) ** 2)


def make_optimizer(name, objective=quadratic, **settings):
    def loss_and_terms(*arguments):
        value = objective(*arguments)
        return value, {"twice": 2 * value}

    return Optimizer(loss_and_terms, find_method(OptimizerConfig(name, **settings)))


def start(optimizer, target=TARGET, image=START, rate=1e-3):
    return optimizer.start(None, target, image, jnp.float32(rate))


def advance(optimizer, state, stop, target=TARGET):
    return optimizer.advance(None, target, state, jnp.int32(stop), MANY)


def descend(optimizer, steps, target=TARGET, image=START, rate=1e-3):
    return advance(optimizer, start(optimizer, target, image, rate), steps, target)
