"""Gatys, Ecker & Bethge 2015, "A Neural Algorithm of Artistic Style" (arXiv 1508.06576), Fig 2.

    python -m nst_jax.run --config=configs/gatys.py --config.content=photo.jpg --config.style=painting.jpg

White noise is optimised into a picture with the content of one image and the style of another. At 512 px it
takes 6 minutes with VGG-19 on two CPU cores, and 90 seconds with --config.network.arch=slim. VGG-19 is
downloaded once, in full or in 8 bits; `slim` is also the fallback if neither can be had.

Variants:
    configs/gatys.py:released       the authors' code: 500 steps at 591 px, then 200 at 1182 px
    configs/gatys.py:released_512   its first stage alone
    configs/gatys.py:normalized     the authors' constants for filters of mean activation 1 (CVPR 2016)

The authors' code (leongatys/NeuralImageSynthesis, BasicStyleTransfer) gives a picture an area of 512 x 512
pixels, then 1024 x 1024, whatever its shape. `size` is the longer side: 1024 * sqrt(longer / shorter side).
The variant's 1182 px are those of a 4:3 picture; for 3:2 give --config.size=1254, for a square 1024.
"""

from ml_collections import ConfigDict

from nst_jax.errors import unknown


def get_config(variant: str = "paper") -> ConfigDict:
    config = ConfigDict()
    config.content = "sample:chelsea"
    config.style = "sample:swirls"
    config.size = 512  # longer side, pixels
    config.style_scale = 1.0  # size of the style relative to the result
    config.init = "noise"  # or 'content', 'style', or a path
    config.noise = 1 / 255  # its standard deviation about the mean colour, as in the authors' code
    config.seed = 0

    config.network = ConfigDict()
    config.network.arch = "vgg19"
    config.network.weights = "auto"  # the full VGG-19, or else vgg19-8bit, or else slim with a warning
    config.network.pool = "avg"
    config.network.normalize = False

    config.content_layers = ConfigDict({"conv4_2": 1.0})
    config.style_layers = ConfigDict({f"conv{block}_1": 0.2 for block in range(1, 6)})
    # Only the ratio matters, and it is specific to this network and to sizes near this one: rescaled filters
    # change it by a factor of a thousand, and the content term is a sum over positions, the style term is a
    # mean. The paper prints 1e-3 to 1e-5 for its own filters; with these, flat areas stay as they are in the
    # photo at 1e-3, and its lines dissolve at 3e-5: see docs/figures.md.
    config.content_weight = 1e-4  # alpha
    config.style_weight = 1.0  # beta
    config.tv_weight = 0.0
    config.content_loss = "sum"

    config.optimizer = ConfigDict(type_safe=False)  # `steps` is a number or a tuple
    config.optimizer.name = "lbfgs"
    config.optimizer.steps = 500  # at each scale, or one number per scale, e.g. (300, 100)
    config.optimizer.learning_rate = 0.02  # for adam; gd needs about 1e-5 here; lbfgs ignores it
    config.optimizer.bands = True  # changes only how fast lbfgs gets there
    config.scales = (1.0,)  # coarse to fine, e.g. (0.5, 1.0)
    config.tile = 0  # e.g. 512: the same picture with less memory and more time; 0 for no tiles

    config.log_every = 10  # steps
    config.snapshot_every = 50
    if variant not in VARIANTS:
        raise unknown("--config variant", variant, VARIANTS)
    return VARIANTS[variant](config)


def _released_512(config: ConfigDict) -> ConfigDict:
    config.size = 591
    config.network.pool = "max"
    config.init = "content"
    config.content_loss = "mean"
    config.content_weight = 1.0
    config.optimizer.bands = False  # it would reach a lower loss, with colours further from the photo's
    # 1e3 / n^2 times the mean of (G - A)^2, where the style loss here has a quarter of that mean.
    filters = {"conv1_1": 64, "conv2_1": 128, "conv3_1": 256, "conv4_1": 512, "conv5_1": 512}
    config.style_layers = ConfigDict({layer: 4e3 / n**2 for layer, n in filters.items()})
    return config


def _released(config: ConfigDict) -> ConfigDict:
    config = _released_512(config)
    config.size = 1182
    config.scales = (0.5, 1.0)
    config.optimizer.steps = (500, 200)
    return config


def _normalized(config: ConfigDict) -> ConfigDict:
    config = _released_512(config)
    config.network.normalize = True
    # The authors' 1e6 and 1e9 / 5, divided by 1e6: only the ratio matters.
    config.content_weight = 1.0
    config.style_layers = ConfigDict({f"conv{block}_1": 4e3 / 5 for block in range(1, 6)})
    return config


VARIANTS = {
    "paper": lambda config: config,
    "released": _released,
    "released_512": _released_512,
    "normalized": _normalized,
}
