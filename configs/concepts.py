"""Fel et al. 2023, "CRAFT: Concept Recursive Activation FacTorization" (arXiv 2211.10154), Fig 1.

    python -m nst_jax.experiments.concepts --config=configs/concepts.py --config.data=folder:PHOTOS
    python -m nst_jax.experiments.concepts --config=configs/concepts.py:squeezenet --config.data=folder:DOGS

A unit often responds to several things, and one thing excites several units. Non-negative matrix
factorisation finds directions instead, so that activations are sums of few of them: A ~ U W, with a row of U
for each position and a row of W for each concept. A is a uniform sample of `positions` from all pictures; a
second pass finds the patches with most of each concept. Shares are of the squared activations, and add up to
what all concepts together explain.

With a `target`, the importance of each concept for the score of a class is measured on the first `scored`
pictures, as gradient times U and as total Sobol index by `designs` of masks: give a folder of pictures of
that class, or of related ones. Expected: ten concepts of SqueezeNet's fire8 in a hundred photos of dogs
explain a third of the activation, and most have a name, such as wiry fur, eyes, outlines. The default, the
nine bundled photos, takes a minute or two on two CPU cores; ten concepts of `slim` explain 63 % there.

Variants:
    configs/concepts.py:squeezenet   SqueezeNet 1.0, fire8, importance for each picture's class
    configs/concepts.py:vgg19        VGG-19, conv4_1
"""

from ml_collections import ConfigDict

from nst_jax.errors import unknown


def get_config(variant: str = "slim") -> ConfigDict:
    config = ConfigDict()
    config.data = "sample:"  # or folder:PATH, tfds:NAME:SPLIT
    config.layer = "conv4_1"
    config.concepts = 10
    config.positions = 20_000  # drawn from all pictures to find the concepts
    config.target = ""  # importance for 'class' (each picture's most probable) or 'class:NUMBER'; '': none
    config.labels = "auto"  # names of classes: 'imagenet', or a text file; 'auto': ImageNet's if 1000
    config.scored = 16  # pictures by which importance is measured, the first; 0 for all
    config.designs = 32  # of the total Sobol index, a power of 2; 0 for the gradient alone
    config.top = 9  # pictures of each concept
    config.size = 224  # side of the square that the network sees, pixels
    config.batch = 16
    config.limit = 0  # maximum number of images; 0 for all
    config.shuffle = False  # before `limit` is applied
    config.seed = 0
    config.workers = 0  # decoding threads; 0 for one per core
    config.steps = 200  # of the maximised picture of each concept; 0 for none
    config.picture = 128  # side of the maximised picture, pixels
    config.finest = -1.0  # its smallest details, pixels; 0 for no limit, -1: suited to the layer
    config.checkpoint_seconds = 60.0
    config.network = ConfigDict({"arch": "slim", "weights": "auto", "pool": "avg", "normalize": False})
    if variant not in VARIANTS:
        raise unknown("--config variant", variant, VARIANTS)
    return VARIANTS[variant](config)


def _squeezenet(config: ConfigDict) -> ConfigDict:
    config.network.arch, config.network.pool = "squeezenet1_0", "max"
    config.layer, config.size, config.target = "fire8", 227, "class"
    return config


def _vgg19(config: ConfigDict) -> ConfigDict:
    config.network.arch, config.finest = "vgg19", 3.0
    return config


VARIANTS = {"slim": lambda config: config, "squeezenet": _squeezenet, "vgg19": _vgg19}
