"""The paper's picture soonest: the objective of configs/gatys.py at 512 px, in a fraction of its evaluations.

    python -m nst_jax.run --config=configs/fast.py --config.content=photo.jpg --config.style=painting.jpg

What differs is only the way down: from the photo, and with L-BFGS that remembers 30 steps and begins with a
scale for every band of frequencies (nst_jax/bands.py). With `slim` and the bundled pictures its 100 steps end
at a loss that PyTorch's L-BFGS has after some 140 evaluations; it takes 40 seconds on two CPU cores.
The figures: docs/performance.md.
"""

from ml_collections import ConfigDict

from configs import gatys


def get_config() -> ConfigDict:
    config = gatys.get_config()
    config.init = "content"  # from noise a grain stays in flat areas
    config.optimizer.steps = 100
    config.optimizer.memory = 30
    config.optimizer.bands = True
    return config
