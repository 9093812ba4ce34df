"""Zeiler & Fergus 2013 (arXiv 1311.2901), Fig 4: what units come to see as a network learns.

    python -m experiments.evolution --config=configs/evolution.py --workdir=runs/evolution
        --config.weights="('runs/slim/progress/student-000100.safetensors','slim.safetensors')"

`weights` takes any number of files of one architecture, such as scripts/distill.py leaves in progress/; the
paper's network and its checkpoints were not released. By default random filters stand beside the trained
ones: noise beside strokes, corners and arcs. Five checkpoints of slim's training, steps 561 to 2,400, at
conv5_1: of six units, two keep to one part of one picture; the others jump to another part or picture at
some checkpoint and stay there, as the paper has it. Two seconds a checkpoint on two CPU cores, and ten to
begin with.
"""

from ml_collections import ConfigDict


def get_config() -> ConfigDict:
    config = ConfigDict()
    config.weights = ("random", "auto")  # checkpoints in order: files, or names as for network.weights
    config.layer = "conv3_1"
    config.units = (0, 12, 24, 36, 48, 60)
    config.data = "sample:"  # or folder:PATH, tfds:NAME:SPLIT
    config.size = 224  # side of the square that the network sees, at least the receptive field
    config.batch = 16
    config.limit = 0  # images at most; 0 for all
    config.rule = "deconvnet"  # or 'gradient', 'guided'
    config.network = ConfigDict({"arch": "slim", "pool": "max"})  # of all checkpoints
    return config
