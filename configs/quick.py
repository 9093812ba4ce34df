"""A picture of 512 px in ten seconds on two CPU cores, with no download.

    python -m nst_jax.run --config=configs/quick.py --config.content=photo.jpg --config.style=painting.jpg

Uses the bundled network `slim`; `--config.network.arch=vgg19` paints with VGG-19. Gram matrices and content
are compared relative to the size of their targets, so the weights hold for every network and size. Coarse to
fine from the content image: large forms and colours settle at 128 and 256 px, where a step costs a sixteenth
and a quarter of one at full size. A larger `content_weight` keeps more of the photo.

More steps lower the loss. At 384 px, they do not bring pictures nearer to the painting at the same distance
to the photo, on average; at 256 px, twice as many are worth a tenth of that distance. See docs/performance.md
for how that was measured.
"""

from ml_collections import ConfigDict

from nst_jax.configs import gatys

# Shares of the layers in the style: conv5_1 is far from the painting's at first, and would dominate.
STYLE_WEIGHTS = {"conv1_1": 0.1, "conv2_1": 0.35, "conv3_1": 0.2, "conv4_1": 0.3, "conv5_1": 0.05}


def get_config() -> ConfigDict:
    config = gatys.get_config()
    config.network.arch = "slim"
    config.init = "content"
    config.relative_losses = True
    config.content_weight = 0.18
    config.style_layers = ConfigDict(STYLE_WEIGHTS)
    config.scales = (0.25, 0.5, 1.0)
    config.optimizer.steps = (60, 40, 25)
    return config
