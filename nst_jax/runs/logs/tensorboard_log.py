"""Events for TensorBoard, beside metrics.jsonl."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jaxtyping import UInt8
from numpy import ndarray

from nst_jax.runs.logs.log import Log, Writer


def _start(run: Path, settings: Mapping[str, Any]) -> Writer:
    del settings  # config.json is beside the events
    from tensorboardX import SummaryWriter

    writer = SummaryWriter(str(run))

    def curves(step: int, values: Mapping[str, Any]) -> None:
        for name, value in values.items():
            writer.add_scalar(name, value, step)

    def picture(step: int, name: str, pixels: UInt8[ndarray, "h w 3"]) -> None:
        writer.add_image(name, pixels, step, dataformats="HWC")

    return Writer(curves, picture, writer.flush, writer.close)


TENSORBOARD = Log("tensorboardX", lambda run: any(run.glob("events.out.tfevents.*")), _start)
