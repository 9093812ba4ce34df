"""A picture of 512 px in half a minute on two CPU cores, with no download.

    python -m nst_jax.run --config=configs/quick.py --config.content=photo.jpg --config.style=painting.jpg

Uses the bundled network `slim` instead of VGG-19, with the style weights of configs/gatys.py:released. Coarse
to fine from the content image: large forms and colours settle at 128 and 256 px, where a step costs a
sixteenth and a quarter of one at full size. Average pooling gives smoother strokes than maximum pooling. A
larger `content_weight` keeps more of the photo.
"""

from ml_collections import ConfigDict

from nst_jax.configs import gatys


def get_config() -> ConfigDict:
    config = gatys.get_config("released_512")
    config.size = 512
    config.network.arch = "slim"
    config.network.pool = "avg"
    config.content_weight = 2.0
    config.optimizer.bands = True
    config.scales = (0.25, 0.5, 1.0)
    config.optimizer.steps = (100, 80, 60)
    return config
