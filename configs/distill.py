"""A compact network of VGG-19's topology, taught by VGG-19: the network `slim` that ships.

    export NST_REFERENCE_DATA=FOLDER
    python scripts/distill.py --config=configs/distill.py --workdir=runs/slim
    python scripts/distill.py --config=configs/distill.py:middle --workdir=runs/slim --resume
    python scripts/distill.py --config=configs/distill.py:deep --workdir=runs/slim --resume

FOLDER holds `images/` and `weights/` as named below; every path can be overridden. Later stages keep the
layers that are done, which makes a step cheaper and leaves time for larger crops. The run folder gets
`student.safetensors`, scaled so that a config's weights carry over from VGG-19, `metrics.jsonl` and the
checkpoint that `--resume` goes on from. Above half an hour on two CPU cores with nothing else to do;
80 minutes were needed beside other work.
"""

import os

from ml_collections import ConfigDict

from nst_jax.errors import unknown

# Stage: (its last step, counted from the first stage's start, and the last layer that it keeps).
STAGES = {"whole": (900, ""), "middle": (1400, "conv2_2"), "deep": (2400, "conv3_2")}


def get_config(stage: str = "whole") -> ConfigDict:
    if stage not in STAGES:
        raise unknown("--config stage", stage, STAGES)
    data = os.environ.get("NST_REFERENCE_DATA", "../shared/data")
    config = ConfigDict()
    config.seed = 0
    config.steps, config.frozen_up_to = STAGES[stage]
    config.learning_rate = 1e-2  # relative to each array's root mean square
    # Channels per block: an eighth of VGG-19's multiply-adds per pixel, less a little.
    config.widths = (24, 48, 96, 152, 256)

    config.teachers = ConfigDict()
    config.teachers.shallow = f"{data}/weights/vgg19_conv1_1-conv3_4.safetensors"
    config.teachers.deep = f"{data}/weights/vgg19_small16x_relu5_1.safetensors"

    # Folder -> how many of its pictures to hold out for the measures.
    config.images = ConfigDict()
    config.images.photos_imagenet = 100
    config.images.photos_bsds500 = 0
    config.images.paintings_wikiart = 0
    config.images.paintings_openaccess = 0
    config.image_root = f"{data}/images"
    config.crop = 128 if stage == "whole" else 192
    config.batch = 8 if stage == "whole" else 6
    config.natural = 5 if stage == "whole" else 4  # of a batch; the others are disturbed

    config.terms = ConfigDict()
    config.terms.feature = 1.0
    config.terms.gram = 0.5
    config.terms.cka = 3.0
    config.terms.cka_disturbed = 1.0
    config.terms.dull = 0.5

    config.log_every = 10
    config.checkpoint_minutes = 5.0
    return config
