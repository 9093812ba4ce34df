"""Teach a compact network what VGG-19 sees; see configs/distill.py for the commands.

    python scripts/distill.py --config=configs/distill.py --workdir=runs/slim [--resume]

Writes student.safetensors, metrics.jsonl, config.json, the checkpoint that --resume continues from, and in
progress/ weight files of the student as it was during the training.
"""

import dataclasses
import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TextIO

import jax
import numpy as np
from absl import flags, logging

from nst_jax import cli, files
from nst_jax.config import fields
from nst_jax.distill import balance, crops, scaling, training
from nst_jax.distill.settings import DistillSettings
from nst_jax.distill.teachers import Taught, read_teachers
from nst_jax.weights import save

EXAMPLE = "configs/distill.py"
FIRST_IMAGES = 32  # images that the least-squares start is made from
BALANCE_PHOTOS = 150  # training pictures that set the filters' scales, about
SCALE_PHOTOS = 16  # held-out photographs that set the layers' scales
SIDE = 224  # pixels of both


def main(argv: list[str]) -> int:
    """Read, train, export."""
    values = flags.FlagValues()
    cli.define_resumable(values, argv)
    cli.parse(values, argv, __doc__ or "")
    logging.set_verbosity(logging.INFO)
    settings = fields.from_config(DistillSettings, cli.config_value(values, EXAMPLE))
    workdir = cli.work_folder(values)
    taught = read_teachers(Path(settings.teachers.shallow), Path(settings.teachers.deep))
    chosen, held_out = crops.split(Path(settings.image_root), settings.images, settings.seed)
    files.write_json(workdir / "config.json", dataclasses.asdict(settings))
    pictures = [crops.decode(file) for file in chosen]
    logging.info("%d pictures; on %s", len(pictures), jax.devices())
    state = train(settings, taught, pictures, workdir, values.resume)
    every = max(1, len(pictures) // BALANCE_PHOTOS)
    shown = [crops.square(picture, SIDE) for picture in pictures[::every]]
    arrays = balance.balanced(scaling.folded(state["trained"]["student"]), taught, shown)
    scaled_on = (held_out or chosen)[-SCALE_PHOTOS:]
    apart = [crops.square(crops.decode(file), SIDE) for file in scaled_on]
    export(arrays, int(state["step"]), taught, apart, workdir / "student.safetensors")
    return 0


def train(
    settings: DistillSettings,
    taught: Taught,
    pictures: Sequence[np.ndarray],
    workdir: Path,
    resume: bool,
) -> training.TrainingState:
    """Run the steps that are left, with snapshots, and a checkpoint every few minutes and at the end."""

    def make(step: int, count: int = settings.batch, natural: int = settings.natural) -> np.ndarray:
        return crops.batch(pictures, settings.seed, step, count, natural, settings.crop)

    recipe, checkpoint = settings.recipe(), workdir / "checkpoint.npz"
    if resume:
        state = training.load_state(checkpoint, training.blank_state(recipe, taught))
    else:
        # The step after this stage's last, so that the start has pictures of its own.
        first = make(settings.steps, FIRST_IMAGES, FIRST_IMAGES * settings.natural // settings.batch)
        state = training.first_state(recipe, taught, first)
    update = training.make_step(recipe, taught)
    started = saved = time.monotonic()
    with (workdir / "metrics.jsonl").open("a") as log:
        for step, batch in crops.prefetched(make, int(state["step"]), settings.steps):
            state, metrics = update(state, batch)
            if step % settings.log_every == 0:
                record(log, step, time.monotonic() - started, metrics)
            if (step + 1) % settings.snapshot_every == 0:
                training.save_snapshot(workdir / "progress", state)
            if time.monotonic() - saved > 60 * settings.checkpoint_minutes:
                training.save_state(checkpoint, state)
                saved = time.monotonic()
    training.save_state(checkpoint, state)
    return state


def export(
    arrays: Mapping[str, np.ndarray],
    step: int,
    taught: Taught,
    photos: Sequence[np.ndarray],
    path: Path,
) -> None:
    """Write the student as a weight file, each layer at VGG-19's scale on `photos` and noise."""
    pairs = [pair for kind in scaling.pairs(photos, len(photos) // 2).values() for pair in kind]
    factors = scaling.factors(arrays, taught, pairs)
    logging.info("layers scaled by %s", {k: round(v, 4) for k, v in factors.items()})
    weights = scaling.as_weights(scaling.rescaled(arrays, factors))
    save(path, weights, f"scripts/distill.py, step {step}")


def record(log: TextIO, step: int, seconds: float, metrics: Mapping[str, jax.Array]) -> None:
    """Write one line of JSON, and tell the similarities."""
    line = {"step": step, "seconds": round(seconds, 1)}
    line |= {key: round(float(value), 5) for key, value in metrics.items()}
    print(json.dumps(line), file=log, flush=True)
    alike = {k.split("/")[1]: round(1 - v, 3) for k, v in line.items() if k.startswith("cka/")}
    logging.info("step %d, %.0f s: total %.4f, CKA %s", step, seconds, line["total"], alike)


if __name__ == "__main__":
    cli.run(main)
