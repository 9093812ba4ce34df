"""Runs in Weights & Biases; with WANDB_MODE=offline, in a folder that `wandb sync` uploads later."""

import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jaxtyping import UInt8
from numpy import ndarray

from nst_jax import files
from nst_jax.runs.logs.log import Log, Writer

PROJECT = "nst_jax"  # unless WANDB_PROJECT names another
ID = "wandb-id.txt"  # in a run folder: the run to continue


def _start(run: Path, settings: Mapping[str, Any]) -> Writer:
    import wandb

    if not (run / ID).exists():
        files.write_text(run / ID, uuid.uuid4().hex)
    opened = wandb.init(
        project=wandb.Settings().project or PROJECT,
        name=run.name,
        id=(run / ID).read_text(encoding="utf-8"),
        resume="allow",
        dir=str(run),
        config=dict(settings),
        reinit="create_new",  # the runs of a sweep are open at the same time
        settings=wandb.Settings(silent=True, console="off"),
    )
    # Snapshots come later than the lines of their steps, and W&B's own steps only grow.
    opened.define_metric("*", step_metric="step")

    def picture(step: int, name: str, pixels: UInt8[ndarray, "h w 3"]) -> None:
        opened.log({"step": step, name: wandb.Image(pixels)})

    return Writer(
        lambda step, values: opened.log({"step": step, **values}), picture, lambda: None, opened.finish
    )


WANDB = Log("wandb", lambda run: (run / ID).exists(), _start)
