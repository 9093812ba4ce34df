"""Zeiler & Fergus 2013 (arXiv 1311.2901), Fig 5: how far features move when the picture does.

    python -m experiments.invariance --config=configs/invariance.py --workdir=runs/invariance

The paper's amounts on other pictures and another network: VGG in place of theirs, which was not released, and
the bundled samples, without known classes. The third curve, P(true class), comes with weights that hold a
classifier, `classes` for the images, and images of your own; paths need quotes of their own:

    --config.network.arch=vgg19 --config.network.weights=vgg19.h5 --config.images="('a.jpg','b.jpg')"
    --config.classes="(281,817)"

As in the paper, the low layer's distance leaps at the smallest change and then hardly grows, where the high
layer's rises steadily. With slim, of each curve's maximum: after a shift of 5 pixels 0.4 to 0.8 at conv1_1,
0.3 at conv5_1; at scale 1.05 0.7 to 0.8, and 0.3; turned by 10 degrees 0.6 to 0.8, and 0.4 to 0.6. Half a
minute on two CPU cores.
"""

from ml_collections import ConfigDict


def get_config() -> ConfigDict:
    config = ConfigDict()
    config.images = ("sample:astronaut", "sample:chelsea", "sample:coffee", "sample:rocket", "sample:sunset")
    config.size = 224  # side of the square that the network sees, pixels
    config.low, config.high = "conv1_1", "conv5_1"
    config.shifts = tuple(float(pixels) for pixels in range(-60, 61, 5))  # pixels down
    config.scales = tuple(1 + step / 20 for step in range(17))  # 1 to 1.8
    config.rotations = tuple(float(degrees) for degrees in range(0, 360, 10))  # counterclockwise
    config.padding = "edge"  # what is shown beyond the picture: its 'edge' or 'gray'
    config.batch = 16
    config.network = ConfigDict({"arch": "slim", "weights": "auto", "pool": "max"})
    return config
