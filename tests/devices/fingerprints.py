"""Fingerprints of values that all differ, as a list in JSON, made without the type checks of tests."""

import functools
import json
import math

import jax
import jax.numpy as jnp
import numpy as np
import optax

from nst_jax.config.optimization import OptimizerConfig
from nst_jax.devices.fingerprint import fingerprint
from nst_jax.losses.features.request import Request
from nst_jax.losses.features.tiled import tiled
from nst_jax.losses.objective import total_and_terms
from nst_jax.losses.terms.terms import TERMS
from nst_jax.optimizers.methods import find_method

VALUES = [
    *(None, True, 1, 1.0, -0.0, 0.0, "1", b"1", 1j, (), [], {}, frozenset(), (1,), [1], ((1,), 2), (1, (2,))),
    *({"a": 1, "b": 2}, {"b": 2, "a": 1}, {1, 2}, frozenset(((1, 2),)), np.dtype("float32"), jnp.float32),
    *(np.arange(3), np.arange(3.0), np.arange(3)[None], jnp.zeros(3), np.float32(2)),
    *(jax.tree.structure(((1, 2), {})), jax.tree.structure(((1, 2), {"a": 0})), Request(("conv1_1",))),
    *(
        math.sin,
        math.cos,
        {"a": 1}.get,
        {"a": 2}.get,
        jnp.sin,
        jnp.cos,
        jax.nn.relu,
        functools.partial(jnp.sum, axis=0),
        functools.partial(jnp.sum, axis=1),
    ),
    *(optax.scale_by_lbfgs(10), optax.scale_by_lbfgs(11), optax.scale_by_adam()),
    *(total_and_terms, tiled(256), tiled(512), *TERMS.items()),
    *(find_method(OptimizerConfig(memory=memory)) for memory in (3, 4)),
    *(find_method(OptimizerConfig(name=name)) for name in ("adam", "gd")),
]

if __name__ == "__main__":
    print(json.dumps([fingerprint(value) for value in VALUES]))
