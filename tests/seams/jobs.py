"""Runs of seconds, for newcomers that are added from outside the package."""

from nst_jax.config import from_dict
from nst_jax.methods.gatys import Session
from nst_jax.runs.folder import RunFolder
from nst_jax.transfer.painting import paint
from nst_jax.transfer.preparing import prepare


def settings(weights, **fields):
    """A run of seconds."""
    return {
        "content": "sample:coffee",
        "style": "sample:ink_wash",
        "size": 64,
        "log_every": 2,
        "snapshot_every": 4,
        "style_layers": {"conv1_1": 0.5, "conv2_1": 0.5},
        "content_layers": {"conv2_2": 1.0},
        "content_weight": 0.0,
        "network": {"arch": "slim", "weights": str(weights)},
        "optimizer": {"name": "adam", "steps": 4, "learning_rate": 0.05},
        **fields,
    }


def run(values, path, session=None):
    job = prepare(from_dict(values))
    folder = RunFolder(path, job.config)
    (outcome,) = paint(session or Session([job]), [job], [folder], lambda look: True)
    return outcome
