"""The best picture that slim can paint of 512 px: Wasserstein distances of Gaussians, from coarse to fine.

    python -m nst_jax.run --config=configs/best.py --config.content=photo.jpg --config.style=painting.jpg

As configs/quick.py, but for the style loss: the distance of means and covariances (`w2`) in place of that of
Gram matrices, which fix the sum of both only, so that colours and contrast drift. A larger `content_weight`
keeps more of the photo.
"""

from ml_collections import ConfigDict

from nst_jax.configs import quick

# These let the terms of all layers begin at the same order of magnitude with `slim`.
STYLE_WEIGHTS = {"conv1_1": 400.0, "conv2_1": 130.0, "conv3_1": 130.0, "conv4_1": 60.0, "conv5_1": 600.0}


def get_config() -> ConfigDict:
    config = quick.get_config()
    config.style_losses = ConfigDict({"w2": 1.0})
    config.style_layers = ConfigDict(STYLE_WEIGHTS)
    config.content_weight = 6.0
    config.optimizer.steps = (150, 120, 100)
    return config
