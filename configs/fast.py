"""The paper's objective, as in configs/gatys.py, at 512 px with a fraction of the evaluations.

    python -m nst_jax.run --config=configs/fast.py --config.content=photo.jpg --config.style=painting.jpg

Only the optimisation differs: it starts from the photo, with an L-BFGS that keeps 30 steps in memory. For
measurements, see docs/performance.md.
"""

from ml_collections import ConfigDict

from nst_jax.configs import gatys


def get_config() -> ConfigDict:
    config = gatys.get_config()
    config.init = "content"
    config.optimizer.steps = 100
    config.optimizer.memory = 30
    return config
