"""Zeiler & Fergus 2013 (arXiv 1311.2901), Fig 5: invariance of features to transforms of the picture.

    python -m nst_jax.experiments.invariance --config=configs/invariance.py --workdir=runs/invariance

The transforms are those of the paper; the paper's network was not released, so the experiment uses others.
The third curve, P(true class), requires a network with a classifier, and the `classes` of the pictures; paths
of your own pictures must be quoted:

    --config.network.arch=vgg19 --config.network.weights=vgg19.h5 --config.images="('a.jpg','b.jpg')"
    --config.classes="(281,817)"

Variant:
    configs/invariance.py:squeezenet   all curves of Fig 5, with SqueezeNet 1.0 (5 MB, downloaded once)

As in the paper, the distance at the low layer jumps at the smallest change and then hardly grows, while at
the high layer it rises steadily. Expected with slim, as a fraction of each curve's maximum: for a shift of 5
pixels, 0.4 to 0.8 at conv1_1 and 0.3 at conv5_1; at scale 1.05, 0.7 to 0.8 and 0.3; for a rotation by 10
degrees, 0.6 to 0.8 and 0.4 to 0.6. Takes half a minute on two CPU cores.
"""

from ml_collections import ConfigDict

from nst_jax.errors import unknown


def get_config(variant: str = "slim") -> ConfigDict:
    config = ConfigDict()
    config.images = ("sample:astronaut", "sample:chelsea", "sample:coffee", "sample:rocket", "sample:sunset")
    config.size = 224  # side of the square that the network sees, pixels
    config.low, config.high = "conv1_1", "conv5_1"
    config.shifts = tuple(float(pixels) for pixels in range(-60, 61, 5))  # pixels down
    config.scales = tuple(1 + step / 20 for step in range(17))  # 1 to 1.8
    config.rotations = tuple(float(degrees) for degrees in range(0, 360, 10))  # counterclockwise
    config.padding = "edge"  # values beyond the picture: 'edge' or 'gray'
    config.batch = 16
    config.network = ConfigDict({"arch": "slim", "weights": "auto", "pool": "max"})
    if variant not in VARIANTS:
        raise unknown("--config variant", variant, VARIANTS)
    return VARIANTS[variant](config)


def _squeezenet(config: ConfigDict) -> ConfigDict:
    config.network.arch = "squeezenet1_0"
    config.size = 227
    config.low, config.high = "conv1", "fire9"
    config.images = ("sample:chelsea", "sample:coffee", "sample:motorcycle_left", "sample:rocket")
    config.classes = (285, 967, 665, 657)  # Egyptian cat, espresso, moped, missile
    return config


VARIANTS = {"slim": lambda config: config, "squeezenet": _squeezenet}
