"""Zeiler & Fergus 2013, "Visualizing and Understanding Convolutional Networks" (arXiv 1311.2901), Fig 2.

    python -m experiments.top_patches --config=configs/top_patches.py --config.data=folder:PHOTOS

The nine images that fire every unit of each layer most, each cut to the unit's receptive field, beside its
projection down to pixels. The paper's own network was not released: on VGG this is the same experiment on
another network. Expect edges and colours in conv1_1, corners and spots in conv2_1, crossings, curves and
stripes in conv3_1; from a few hundred photos on, fur and feathers in conv4_1, faces in conv5_1.
The nine bundled photos, which are the default, take half a minute on two CPU cores, and every unit has
those nine. Of a folder, VGG-19 sees 8 pictures a second there at 224 px, slim 25.

`slim`, the network in the package, was taught with average pooling. That has no switches, so a deconvnet's
projections through it are the same for every image; guided backpropagation's are not, and stand in.

Variant:
    configs/top_patches.py:vgg19   VGG-19 with its maximum pooling, projected by deconvnet as in the paper
"""

from ml_collections import ConfigDict

from nst_jax.errors import unknown


def get_config(variant: str = "slim") -> ConfigDict:
    config = ConfigDict()
    config.data = "sample:"  # or folder:PATH, tfds:NAME:SPLIT
    config.layers = ("conv1_1", "conv2_1", "conv3_1", "conv4_1", "conv5_1")
    config.units = "all"  # or numbers: 3,17
    config.top = 9
    config.size = 224  # side of the square that the network sees, at least the deepest receptive field
    config.batch = 16
    config.limit = 0  # images at most; 0 for all
    config.shuffle = False  # before `limit` takes its part
    config.seed = 0
    config.workers = 0  # threads that decode; 0 for one a core
    config.shown = 24  # units of each layer on its sheet, where `units` is 'all'
    config.rule = "guided"  # or 'deconvnet', 'gradient'
    config.checkpoint_seconds = 60.0

    config.network = ConfigDict()
    config.network.arch = "slim"
    config.network.weights = "auto"
    config.network.pool = "avg"
    config.network.normalize = False
    if variant not in VARIANTS:
        raise unknown("--config variant", variant, VARIANTS)
    return VARIANTS[variant](config)


def _vgg19(config: ConfigDict) -> ConfigDict:
    config.network.arch = "vgg19"
    config.network.pool = "max"
    config.rule = "deconvnet"
    return config


VARIANTS = {"slim": lambda config: config, "vgg19": _vgg19}
