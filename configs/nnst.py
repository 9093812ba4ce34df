"""Kolkin et al. 2022, "Neural Neighbor Style Transfer" (arXiv 2203.13215): another method than Gatys'.

    python -m nst_jax.run --config=configs/nnst.py --config.content=photo.jpg --config.style=painting.jpg

The features of the photo are replaced by the nearest ones of the painting, and the picture is optimised to
have these, from 64 to 512 px. Strokes and shapes come from the painting; a smaller `nnst.alpha` follows the
result of the coarser scale more than the photo. It uses the bundled network `slim`, as configs/quick.py does.

Variants:
    configs/nnst.py:256      the scales 64, 128 and 256 px
    configs/nnst.py:1024     one more scale
    configs/nnst.py:vgg16    512 px with the network of the paper, vgg16-torchvision: a download of 553 MB

The authors' code takes 4 scales at 512 px and 5 at 1024 px, so that the coarsest has 64 px.
"""

from ml_collections import ConfigDict

from nst_jax.errors import unknown


def get_config(variant: str = "512") -> ConfigDict:
    config = ConfigDict()
    config.method = "nnst"
    config.content = "sample:chelsea"
    config.style = "sample:swirls"
    config.size = 512  # longer side, pixels
    config.style_scale = 1.0  # size of the style relative to the result
    config.init = "content"
    config.seed = 0  # of the features that are compared in feature splitting

    config.network = ConfigDict()
    config.network.arch = "slim"
    config.network.weights = "auto"
    config.network.pool = "max"
    # Filters of mean activation 1, so that all layers count; the paper's network has such filters as it is.
    config.network.normalize = True

    config.nnst = ConfigDict()
    config.nnst.alpha = 0.75  # share of the content in the picture whose features are replaced
    config.nnst.rotations = True  # also take features from the style turned by 90, 180 and 270 degrees
    config.nnst.splitting = 200  # steps of feature splitting after those of the last scale
    config.nnst.color = True  # hues from the content, in the colours of the style

    config.optimizer = ConfigDict(type_safe=False)  # `steps` is a number or a tuple
    config.optimizer.name = "adam"
    config.optimizer.steps = 200  # at each scale
    config.optimizer.learning_rate = 2e-3
    config.scales = (0.125, 0.25, 0.5, 1.0)

    config.log_every = 10  # steps
    config.snapshot_every = 50
    if variant not in VARIANTS:
        raise unknown("--config variant", variant, VARIANTS)
    return VARIANTS[variant](config)


def _at_256(config: ConfigDict) -> ConfigDict:
    config.size = 256
    config.scales = (0.25, 0.5, 1.0)
    return config


def _at_1024(config: ConfigDict) -> ConfigDict:
    config.size = 1024
    config.scales = (0.0625, 0.125, 0.25, 0.5, 1.0)
    return config


def _vgg16(config: ConfigDict) -> ConfigDict:
    config.network.arch = "vgg16"
    config.network.weights = "vgg16-torchvision"
    config.network.normalize = False
    return config


VARIANTS = {"512": lambda config: config, "256": _at_256, "1024": _at_1024, "vgg16": _vgg16}
