"""Zeiler & Fergus 2013, "Visualizing and Understanding Convolutional Networks" (arXiv 1311.2901), Fig 7.

    python -m nst_jax.experiments.occlusion --config=configs/occlusion.py --workdir=runs/occlusion
    python -m nst_jax.experiments.occlusion --config=configs/occlusion.py --config.image=dog.jpg \\
        --config.network.arch=vgg19 --config.network.weights=vgg19_weights_tf_dim_ordering_tf_kernels.h5

A gray square slides over the picture: where does it suppress the strongest map of a late layer, and where
does it change the class? The paper's network was not released, so the experiment uses others. Maps b and c
work with any network. Maps d and e require a classifier: SqueezeNet and ResNet-18 always have one; VGG's is
in complete weight files, and requires 224 pixels. Expected: b decreases where the square hides what c shows,
here the cat's eyes and nose, or the face of sample:astronaut. The 784 positions take 45 seconds of CPU time
with slim.

Variant:
    configs/occlusion.py:squeezenet   all maps of Fig 7, with SqueezeNet 1.0 (5 MB, downloaded once)
"""

from ml_collections import ConfigDict

from nst_jax.errors import unknown


def get_config(variant: str = "slim") -> ConfigDict:
    config = ConfigDict()
    config.image = "sample:chelsea"  # cropped to its centre square
    config.size = 224  # side of the square that the network sees, pixels
    config.layer = "conv5_1"
    config.unit = -1  # -1: the map with the strongest activation for the whole picture
    config.square = 48  # side of the gray square, pixels
    config.stride = 8  # step between positions, pixels
    config.gray = 0.5
    config.label = -1  # index of the correct class; -1: the most probable class of the whole picture
    config.labels = "auto"  # names of classes: 'imagenet', or a text file; 'auto': ImageNet's if 1000
    config.batch = 16  # occluded pictures per batch
    # Max pooling: the projection needs its switches, and classifiers were trained with it.
    config.network = ConfigDict({"arch": "slim", "weights": "auto", "pool": "max", "normalize": False})
    if variant not in VARIANTS:
        raise unknown("--config variant", variant, VARIANTS)
    return VARIANTS[variant](config)


def _squeezenet(config: ConfigDict) -> ConfigDict:
    config.network.arch = "squeezenet1_0"
    config.layer = "fire9"
    config.size = 227
    return config


VARIANTS = {"slim": lambda config: config, "squeezenet": _squeezenet}
