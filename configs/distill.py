"""Distillation of VGG-19 into a compact network with the same topology: the bundled network `slim`.

    export NST_REFERENCE_DATA=FOLDER
    python scripts/distill.py --config=configs/distill.py --workdir=runs/slim
    for stage in whole last; do
      python scripts/distill.py --config=configs/distill.py:$stage --workdir=runs/slim --resume
    done
    python scripts/distill.py --config=configs/distill.py:wide --workdir=runs/wide
    python scripts/distill.py --config=configs/distill.py:wide_last --workdir=runs/wide --resume

FOLDER contains `images/` and `weights/` with the files named below; every path can be overridden. Stages
freeze the layers that are finished, which makes a step cheaper and allows larger crops. `wide` starts from
the student of the first three stages, with more filters at conv5_1. The run folder gets
`student.safetensors`, scaled so that the loss weights of a config for VGG-19 carry over; `metrics.jsonl`;
`config.json` with the settings of all stages; a checkpoint for `--resume`; and in `progress/` weight files
that configs/evolution.py can show. Took 80 minutes on two CPU cores while other work was running.
"""

import os

from ml_collections import ConfigDict

from nst_jax.errors import UserError, unknown

# Per stage: its last step, counted from the start of the first stage; the deepest frozen layer; the side of
# the crops; crops per batch, and how many of them are undisturbed; the peak learning rate. The rate follows a
# cosine from step 0 to the last step.
STAGES = {
    "deep": (700, "conv3_2", 192, 8, 6, 0.02),
    "whole": (1400, "", 160, 8, 6, 0.01),
    "last": (2200, "conv4_2", 192, 12, 10, 0.08),
    "wide": (600, "conv4_2", 192, 12, 10, 0.03),
    "wide_last": (760, "conv4_2", 192, 12, 10, 0.08),
}


def get_config(stage: str = "deep") -> ConfigDict:
    if stage not in STAGES:
        raise unknown("--config stage", stage, STAGES)
    if "NST_REFERENCE_DATA" not in os.environ:
        raise UserError(
            "NST_REFERENCE_DATA: not set; set it to the folder that contains images/ and weights/"
        )
    data = os.environ["NST_REFERENCE_DATA"]
    config = ConfigDict()
    config.seed = 0
    config.steps, config.frozen_up_to, config.crop, config.batch, config.natural, rate = STAGES[stage]
    config.learning_rate = rate  # relative to the root mean square of each array
    # Filters per block: about an eighth of VGG-19's multiply-adds per pixel.
    config.widths = (24, 48, 96, 176, 384 if stage.startswith("wide") else 256)

    # The original filters replace the rounded ones where they are at hand.
    config.teacher = (
        f"{data}/weights/vgg19_8bit.bin",
        f"{data}/weights/vgg19_conv1_1-conv3_4.safetensors",
    )
    # Its layers are kept as a start, up to the first one of another width: here conv4_1 and conv5_1.
    first = "nst_jax/networks/slim_v1.safetensors"
    config.start = "runs/slim/student.safetensors" if stage.startswith("wide") else first

    # Folder -> number of its pictures to hold out for evaluation.
    config.images = ConfigDict()
    config.images.photos_imagenet = 100
    config.images.photos_bsds500 = 0
    config.images.paintings_wikiart = 0
    config.images.paintings_openaccess = 0
    config.image_root = f"{data}/images"

    config.terms = ConfigDict()
    config.terms.feature = 1.0
    config.terms.gram = 0.5
    config.terms.cka = 3.0
    config.terms.cka_disturbed = 1.0
    config.terms.dull = 0.5

    config.log_every = 10
    config.checkpoint_minutes = 5.0
    config.snapshot_every = 100  # steps between the weight files in progress/
    return config
