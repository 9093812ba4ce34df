"""Wasserstein distances of Gaussians, from coarse to fine: nearer to the colours of the painting than quick.

    python -m nst_jax.run --config=configs/best.py --config.content=photo.jpg --config.style=painting.jpg

As configs/quick.py, but for the style loss: the distance of means and covariances (`w2`) in place of that of
Gram matrices, which fix the sum of both only, so that colours and contrast drift. Paints with `slim`;
`--config.network.arch=vgg19` paints with VGG-19, with the same weights. A larger `content_weight` keeps more
of the photo.
"""

from ml_collections import ConfigDict

from nst_jax.configs import quick


def get_config() -> ConfigDict:
    config = quick.get_config()
    config.style_losses = ConfigDict({"w2": 1.0})
    config.content_weight = 0.2
    config.optimizer.steps = (150, 120, 100)
    return config
