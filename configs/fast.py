"""The paper's picture soonest: the objective of configs/gatys.py at 512 px, in a fraction of its evaluations.

    python -m nst_jax.run --config=configs/fast.py --config.content=photo.jpg --config.style=painting.jpg

What differs is only the way down: from the photo, at half size first, and with L-BFGS that remembers 30
steps and begins with a scale for every band of frequencies (nst_jax/bands.py). With `slim` and the bundled
pictures it ends at a loss of 1.64e7, from noise at 1.69e7 and with its grain; that took a minute and a half
on two CPU cores busy with other work; an evaluation takes VGG-19 three times as long.
The figures: docs/performance.md.
"""

from ml_collections import ConfigDict

from configs import gatys


def get_config() -> ConfigDict:
    config = gatys.get_config()
    config.init = "content"  # from noise a grain stays in flat areas
    config.optimizer.steps = 60
    config.optimizer.memory = 30
    config.optimizer.bands = True
    config.scales = (0.5, 1.0)
    return config
