"""crowsonkb/style-transfer-pytorch (2021), the practical default of its years.

    python -m nst_jax.weights fetch vgg19-torchvision
    python -m nst_jax.run --config=configs/crowsonkb.py --config.content=photo.jpg --config.style=painting.jpg

Wasserstein distances of Gaussians as the style loss, Adam from the content over scales that grow by sqrt(2)
from 128 px, warm starts, and the average of the images as the result. For VGG-19 as torchvision trained it
(575 MB, downloaded once); on another network, such as `configs/crowsonkb.py:slim`, it is the method on
another network.

What differs from the original: it pads the first convolution alone with replicated pixels, here all pad with
zeros (`network.padding=replicate` pads all with replicated ones). It clips the image to [0, 1] after every
step, here the result alone. Its total variation also counts diagonals, with half the weight of all; the
average over directions is the same. It is a mean over pixels, here it is a sum: `tv_weight` is for 512 x 384
pixels, and grows with 1 / pixels. A style larger than its file is enlarged.
"""

from ml_collections import ConfigDict

from nst_jax.configs import gatys
from nst_jax.errors import unknown

STYLE_WEIGHTS = {"conv1_1": 256, "conv2_1": 64, "conv3_1": 16, "conv4_1": 4, "conv5_1": 1}
# torchvision's networks see pixels in [0, 1] divided by about 0.226; the others, 0 to 255. Losses on
# activations are quadratic in that ratio, and total variation does not change.
SCALE = (255 * 0.226) ** 2
VARIANTS = ("torchvision", "slim")


def get_config(variant: str = "torchvision") -> ConfigDict:
    if variant not in VARIANTS:
        raise unknown("--config variant", variant, VARIANTS)
    config = gatys.get_config()
    config.network.arch = "vgg19"
    config.network.weights = "vgg19-torchvision"
    config.network.pool = "max"
    config.init = "content"
    config.content_loss = "mean"
    config.content_weight = 0.015
    config.style_layers = ConfigDict({layer: weight / 341 for layer, weight in STYLE_WEIGHTS.items()})
    config.style_losses = ConfigDict({"w2": 1.0})
    config.tv_weight = 2 / (512 * 384 * 3)
    config.scales = (0.25, 2**-1.5, 0.5, 2**-0.5, 1.0)
    config.optimizer.name = "adam"
    config.optimizer.learning_rate = 0.02
    config.optimizer.b2 = 0.99
    config.optimizer.average = 0.99
    config.optimizer.warm_start = True
    config.optimizer.steps = (1000, 500, 500, 500, 500)
    if variant == "slim":
        config.network.arch, config.network.weights = "slim", "auto"
        config.tv_weight *= SCALE
    return config
