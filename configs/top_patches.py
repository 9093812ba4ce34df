"""Zeiler & Fergus 2013, "Visualizing and Understanding Convolutional Networks" (arXiv 1311.2901), Fig 2.

    python -m nst_jax.experiments.top_patches --config=configs/top_patches.py --config.data=folder:PHOTOS

For every unit of each layer, the nine images that activate it most, cropped to the unit's receptive field,
with their projections to pixels. The paper's network was not released, so the experiment uses VGG instead.
Expected: edges and colours in conv1_1; corners and spots in conv2_1; crossings, curves and stripes in
conv3_1; with a few hundred photos or more, fur and feathers in conv4_1 and faces in conv5_1. The default is
the nine bundled photos, which every unit then shares; they take half a minute on two CPU cores. On a folder,
the same cores process 8 pictures per second with VGG-19 at 224 px, and 25 with slim.

The bundled network `slim` was trained with average pooling. It has no switches, so deconvnet projections
would be the same for every image. Those of guided backpropagation differ, and are the default here.

The top patches alone mislead, so patches at `quantiles` of each unit's maxima over the images are shown too,
with a histogram of the maxima; `export` writes the maxima as activations.npz.

index.html shows the whole photo of each patch, and for each unit those of its layer whose maxima correlate
most with its own. `maximized=128` paints a picture of 128 pixels for each unit on the sheets, as
configs/maximize.py does: with VGG-19, each takes 3 s (conv1_1) to a minute (conv5_1) on two busy CPU cores.

`target` ranks patches by relevance, gradient times activation, instead of activation: towards the most
probable class of each picture ('class'), a class ('class:285') or a deeper unit ('conv5_1:3').

Variants:
    configs/top_patches.py:vgg19        VGG-19 with max pooling and deconvnet projections, as in the paper
    configs/top_patches.py:squeezenet   SqueezeNet 1.0, patches by relevance towards each picture's class
"""

from ml_collections import ConfigDict

from nst_jax.errors import unknown


def get_config(variant: str = "slim") -> ConfigDict:
    config = ConfigDict()
    config.data = "sample:"  # or folder:PATH, tfds:NAME:SPLIT
    config.layers = ("conv1_1", "conv2_1", "conv3_1", "conv4_1", "conv5_1")
    config.units = "all"  # or numbers: 3,17
    config.target = ""  # rank by relevance towards: 'class', 'class:NUMBER', 'LAYER:UNIT'; '': by activation
    config.labels = "auto"  # names of classes: 'imagenet', or a text file; 'auto': ImageNet's if 1000
    config.top = 9
    config.quantiles = (0.5, 0.75, 0.9, 0.99)  # at which patches are shown too; () for none
    config.sample = 1000  # images from which patches at quantiles are chosen
    config.export = False  # write activations.npz: each unit's maximum in each image
    config.photos = 2000  # copies of photos on which the page shows where patches are from, 20 KB each
    config.maximized = 0  # side of a picture painted to activate each unit on the sheets; 0 for none
    config.size = 224  # side of the square that the network sees, at least the deepest receptive field
    config.batch = 16
    config.limit = 0  # maximum number of images; 0 for all
    config.shuffle = False  # before `limit` is applied
    config.seed = 0  # of the shuffling and the sample
    config.workers = 0  # decoding threads; 0 for one per core
    config.shown = 24  # units on the sheet of each layer if `units` is 'all'
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


def _squeezenet(config: ConfigDict) -> ConfigDict:
    config.network.arch = "squeezenet1_0"
    config.network.pool = "max"
    config.rule = "deconvnet"
    config.layers = ("fire3", "fire5", "fire7", "fire9")
    config.target = "class"
    config.size = 227
    return config


VARIANTS = {"slim": lambda config: config, "vgg19": _vgg19, "squeezenet": _squeezenet}
