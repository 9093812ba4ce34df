"""Zeiler & Fergus 2013, "Visualizing and Understanding Convolutional Networks" (arXiv 1311.2901), Fig 7.

    python -m experiments.occlusion --config=configs/occlusion.py --workdir=runs/occlusion
    python -m experiments.occlusion --config=configs/occlusion.py --config.image=dog.jpg \\
        --config.network.arch=vgg19 --config.network.weights=vgg19_weights_tf_dim_ordering_tf_kernels.h5

A gray square slides over the picture: where does the strongest map of a late layer fall silent, and where
does the class change? The paper's own network was not released: on VGG this is the same experiment on another
network. Maps b and c are to be had from any network; d and e from whole weight files, which hold the
classifier, at 224 pixels. Expect b to fall where the square hides what c shows: here the cat's eyes and
nose, of sample:astronaut the face. 784 positions take slim 45 seconds of processor time.
"""

from ml_collections import ConfigDict


def get_config() -> ConfigDict:
    config = ConfigDict()
    config.image = "sample:chelsea"  # its middle square is used
    config.size = 224  # side of the square that the network sees, pixels
    config.layer = "conv5_1"
    config.unit = -1  # -1: the map with the strongest activation on the whole picture
    config.square = 48  # side of the gray square, pixels
    config.stride = 8  # pixels from one position to the next
    config.gray = 0.5
    config.label = -1  # index of the correct class; -1: the most probable on the whole picture
    config.batch = 16  # covered pictures at a time
    # Max pooling: its switches serve the projection, and classifiers were trained with it.
    config.network = ConfigDict({"arch": "slim", "weights": "auto", "pool": "max", "normalize": False})
    return config
