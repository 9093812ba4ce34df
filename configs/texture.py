"""A seamless texture in the style of a picture, to tile a surface with.

    python -m nst_jax.run --config=configs/texture.py --config.style=painting.jpg

There is no content: the style alone shapes noise (Gatys, Ecker & Bethge 2015, "Texture Synthesis Using
Convolutional Neural Networks"). With circular padding, the network sees the picture as periodic. Its sides
are rounded to multiples of what the deepest layer needs, 16 pixels. The shape is that of `content`, which is
not used otherwise.
"""

from ml_collections import ConfigDict

from nst_jax.configs import quick


def get_config() -> ConfigDict:
    config = quick.get_config()
    config.content = "sample:astronaut"  # square
    config.content_weight = 0.0
    config.init = "noise"
    config.optimizer.steps = (100, 80, 60)  # those of docs/gallery/texture.jpg
    config.network.padding = "circular"
    return config
