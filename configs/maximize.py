"""Activation maximisation: pictures that activate units, found by optimisation.

    python -m nst_jax.experiments.maximize --config=configs/maximize.py --workdir=runs/maximize
    python -m nst_jax.experiments.maximize --config=maximize --config.layer=conv4_1 --config.units='(3,)'
    python -m nst_jax.experiments.maximize --config=configs/maximize.py --config.data=folder:PHOTOS

Method of Olah, Mordvintsev & Schubert 2017 ("Feature visualization", Distill), for twelve units of conv3_1 of
the bundled network, without a download; for VGG-19, use `--config.network.arch=vgg19`. With `data`, the sheet
shows the photographs' patches that activate each unit most beside its picture. Expected: each picture is
filled with the pattern that its unit detects, such as stripes of one direction, colours or corners, and in
deep layers combinations of these.

`objective` is 'channel' (the mean of a unit's map), 'unit' (its central position alone), 'layer' (all
activations, as in DeepDream), or 'direction': a mixture of units, given as

    --config.objective=direction --config.direction=3:1.0,17:-0.5

`--config.pictures=4 --config.diversity_weight=2.0` paints four pictures of each unit that differ.

Units that are off have no gradient after their ReLU: all objectives but 'layer' are of what enters it.

Variants:
    configs/maximize.py:plain   only a shift before each step, and no limit to details and contrast: harsher
    configs/maximize.py:phase   MACO (Fel et al. 2023): only phases are optimised, and the magnitudes of the
                                spectrum are those of photographs; what no response depends on is left white
"""

from ml_collections import ConfigDict

from nst_jax.errors import unknown


def get_config(variant: str = "natural") -> ConfigDict:
    config = ConfigDict()
    config.objective = "channel"
    config.variable = "fourier"  # what is optimised: a 'fourier' spectrum, or only its 'phase'
    config.layer = "conv3_1"
    config.units = tuple(range(12))
    config.direction = ""  # for 'direction': units and their weights
    config.pictures = 1  # of each unit
    config.diversity_weight = 0.0  # penalty for pictures of the same unit that are alike
    config.size = 128  # side of the pictures, pixels
    config.seed = 0
    config.data = ""  # photographs to search for patches: folder:PATH, tfds:NAME:SPLIT, sample:
    config.limit = 0  # maximum number of photographs; 0 for all

    # Random motion before each step, so that a picture cannot exploit single pixels or the grid of strides.
    # -1: suited to the objective and the layer; for conv3_1 and deeper, the numbers in brackets.
    config.jitter = -1  # pixels (8)
    config.rotation = -1.0  # degrees (10)
    config.scale = -1.0  # relative change of the size (0.1)
    # Without a limit to details, narrow networks answer fine ribs more than any natural pattern.
    config.finest = -1.0  # pixels (6); VGG-19 needs only 3
    config.contrast = -1.0  # standard deviation of noise before the sigmoid (1; 1.5 to 3 for units)
    config.start = 0.2  # standard deviation of the initial spectrum
    config.tv_weight = -1.0  # relative to the logarithm of the response (10)
    config.spectrum = "sample:"  # for 'phase': photographs, whose spectrum the pictures have; folder:PATH
    config.transparency = False  # also write pictures with only the parts visible that responses depend on

    config.network = ConfigDict({"arch": "slim", "weights": "auto", "pool": "avg", "normalize": False})
    config.optimizer = ConfigDict({"name": "adam", "steps": 200, "learning_rate": 0.05})
    if variant not in VARIANTS:
        raise unknown("--config variant", variant, VARIANTS)
    return VARIANTS[variant](config)


def _plain(config: ConfigDict) -> ConfigDict:
    config.rotation = config.scale = config.finest = 0.0
    config.contrast, config.start, config.tv_weight = 3.0, 0.5, 20.0
    return config


def _phase(config: ConfigDict) -> ConfigDict:
    config.variable, config.transparency = "phase", True
    config.tv_weight = 0.0
    config.size = 256
    config.optimizer.name, config.optimizer.learning_rate = "nadam", 1.0
    return config


VARIANTS = {"natural": lambda config: config, "plain": _plain, "phase": _phase}
