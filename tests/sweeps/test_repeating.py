"""The command that repeats a cell: a shell that runs it gives the same settings."""

import shlex

import pytest

from nst_jax import run
from nst_jax.config import from_dict, to_dict
from nst_jax.sweeps.repeating import repeat_command

CONFIGS = {
    "nothing": {},
    "plain": {"size": 96, "seed": 3, "content": "my photo's.jpg", "init": "content", "tv_weight": 1e-7},
    "layers": {"style_layers": {"conv1_2": 0.5, "conv2_1": 0.25}, "content_layers": {"conv2_2": 1.0}},
    "nested": {"network": {"arch": "slim", "pool": "max", "normalize": True}, "optimizer": {"name": "adam"}},
    "scales": {"scales": (0.5, 1.0), "optimizer": {"steps": (20, 10)}, "log_every": 5},
    "controls": {"color": "luminance", "guides": "all", "laplacian_weight": 2.0, "noise": 0.5},
    "nnst": {
        "method": "nnst",
        "optimizer": {"name": "adam"},
        "nnst": {"alpha": 0.5, "layers": ("conv1_1", "conv2_1"), "rotations": False, "splitting": 20},
    },
    "styles": {
        "style": "unused.jpg",
        "styles": {
            "sky": {"image": "a.jpg", "region": "sky.png", "layers": ("conv1_1", "conv2_1"), "weight": 0.3},
            "rest": {"image": "b.jpg"},
        },
    },
}


def active(config):
    """The settings without layers of weight 0, and without a style that has no effect."""
    values = to_dict(config)
    for name in ("content_layers", "style_layers"):
        values[name] = {layer: weight for layer, weight in values[name].items() if weight}
    return values | ({"style": None} if config.styles else {})


@pytest.mark.parametrize("values", CONFIGS.values(), ids=CONFIGS)
def test_the_command_gives_the_same_settings(values):
    config = from_dict(values)
    program, *argv = shlex.split(repeat_command(config))[2:]
    assert program == "nst_jax.run"
    flags = run._parse([program, *argv])
    assert active(from_dict(flags["config"].value)) == active(config)
