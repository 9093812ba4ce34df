"""Zeiler & Fergus 2013 (arXiv 1311.2901), Fig 4: evolution of features during training.

    python -m nst_jax.experiments.evolution --config=configs/evolution.py --workdir=runs/evolution
        --config.weights="('runs/slim/progress/student-000100.safetensors','slim.safetensors')"

`weights` takes any number of files of one architecture, such as those that scripts/distill.py writes to
progress/. The paper's network and its checkpoints were not released. By default, random filters are compared
with trained ones: noise against strokes, corners and arcs. In five checkpoints of slim's training, steps 561
to 2,400, two of six units at conv5_1 keep to one part of one picture. The others jump to another part or
picture at some checkpoint and stay there, as in the paper. Takes two seconds per checkpoint on two CPU cores,
after ten seconds of startup.
"""

from ml_collections import ConfigDict


def get_config() -> ConfigDict:
    config = ConfigDict()
    config.weights = ("random", "auto")  # checkpoints in order: files, or names as in network.weights
    config.layer = "conv3_1"
    config.units = (0, 12, 24, 36, 48, 60)
    config.data = "sample:"  # or folder:PATH, tfds:NAME:SPLIT
    config.size = 224  # side of the square that the network sees, at least the receptive field
    config.batch = 16
    config.limit = 0  # maximum number of images; 0 for all
    config.rule = "deconvnet"  # or 'gradient', 'guided'
    config.network = ConfigDict({"arch": "slim", "pool": "max"})  # shared by all checkpoints
    return config
