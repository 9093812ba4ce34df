"""Distil VGG-19 into a compact network; see configs/distill.py for the commands.

    python scripts/distill.py --config=configs/distill.py --workdir=runs/slim [--resume]

Writes student.safetensors, metrics.jsonl, config.json with the settings of every stage, a checkpoint from
which --resume continues, and snapshots of the student during training in progress/.
"""

import dataclasses
import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
from absl import flags, logging
from distillation import balance, crops, scaling, training
from distillation.settings import DistillSettings
from distillation.teachers import read_teacher

from nst_jax import cli, files
from nst_jax.config import fields
from nst_jax.errors import UserError
from nst_jax.networks.trained import Weights
from nst_jax.networks.vgg import VGG
from nst_jax.runs.folder import read_settings, require_same
from nst_jax.runs.metrics import Metrics
from nst_jax.storage.locks import claimed
from nst_jax.terminal.signals import StopSignal
from nst_jax.weights import load, save

EXAMPLE = "configs/distill.py"
# Settings that all stages share. Another seed or other folders would train on held-out pictures.
COMMON = ("seed", "widths", "images")
FIRST_IMAGES = 64  # images for the least-squares initialisation
BALANCE_PHOTOS = 150  # approximate number of training pictures that set the filters' scales
SCALE_PHOTOS = 16  # held-out photographs that set the layers' scales
SIDE = 224  # of both, pixels


def main(argv: list[str]) -> int:
    """Read the data, train, and export the student."""
    values = flags.FlagValues()
    cli.define_resumable(values, argv)
    cli.parse(values, argv, __doc__ or "")
    logging.set_verbosity(logging.INFO)
    settings = fields.from_config(DistillSettings, cli.config_value(values, EXAMPLE))
    workdir = cli.work_folder(values)
    with claimed(workdir):
        return run_stage(settings, workdir, values.resume)


def run_stage(settings: DistillSettings, workdir: Path, resume: bool) -> int:
    """Train for one stage and export the student; return 0, or the exit status of a signal."""
    stages = all_stages(settings, workdir, resume)
    teacher = read_teacher(settings.teacher)
    training_files, held_out = crops.split(Path(settings.image_root), settings.images, settings.seed)
    files.write_json(workdir / "config.json", {"stages": stages})
    pictures = [crops.decode(file) for file in training_files]
    logging.info("%d pictures; on %s", len(pictures), jax.devices())
    with StopSignal() as stop:
        state = train(settings, teacher, pictures, workdir, resume, stop)
    if int(state["step"]) < settings.steps:
        print(f"interrupted at step {state['step']}; continue with --workdir={workdir} --resume")
        return stop.exit_status
    every = max(1, len(pictures) // BALANCE_PHOTOS)
    balance_photos = [crops.square(picture, SIDE) for picture in pictures[::every]]
    network = VGG(teacher)
    arrays = balance.balanced(scaling.folded(state["trained"]["student"]), network, balance_photos)
    scale_files = (held_out or training_files)[-SCALE_PHOTOS:]
    scale_photos = [crops.square(crops.decode(file), SIDE) for file in scale_files]
    export(arrays, int(state["step"]), network, scale_photos, workdir / "student.safetensors")
    return 0


def all_stages(settings: DistillSettings, workdir: Path, resume: bool) -> list[dict[str, Any]]:
    """Return the settings of all stages in `workdir`, with `settings` as the last one.

    Raises:
        UserError: `workdir` already holds a run and `resume` is False, holds none and it is True, or holds a
            run whose `COMMON` settings differ.
    """
    current = dataclasses.asdict(settings)
    if not resume:
        if (workdir / "config.json").exists():
            raise UserError(
                f"--workdir: {workdir} already holds a run; add --resume or choose another folder"
            )
        return [current]
    stages = read_settings(workdir, stages=list)["stages"]
    if not (stages and isinstance(stages[-1], dict)):
        raise UserError(f"{workdir / 'config.json'}: holds no stage")
    require_same(*({name: stage.get(name) for name in COMMON} for stage in (current, stages[-1])))
    current = json.loads(json.dumps(current))  # tuples become lists, as in the file
    return stages if current == stages[-1] else [*stages, current]


def train(
    settings: DistillSettings,
    teacher: Weights,
    pictures: Sequence[np.ndarray],
    workdir: Path,
    resume: bool,
    stop: StopSignal,
) -> training.TrainingState:
    """Run the remaining steps, or until `stop`, with snapshots; save checkpoints regularly and at the end."""

    def make(step: int, count: int = settings.batch, natural: int = settings.natural) -> np.ndarray:
        return crops.batch(pictures, settings.seed, step, count, natural, settings.crop)

    recipe, checkpoint = settings.recipe(), workdir / "checkpoint.npz"
    if resume and checkpoint.exists():
        state = training.load_state(checkpoint, training.blank_state(recipe, teacher))
    else:
        # The step after the last one of this stage, whose pictures the stage does not use.
        first = make(settings.steps, FIRST_IMAGES, FIRST_IMAGES * settings.natural // settings.batch)
        start = load(settings.start, "slim") if settings.start else None
        state = training.first_state(recipe, teacher, first, start)
    update = training.make_step(recipe, teacher)
    log = Metrics(workdir / "metrics.jsonl")
    log.rewind(int(state["step"]) - 1)  # later lines, from before an interruption, will be logged again
    started = saved = time.monotonic()
    for step, batch in crops.prefetched(make, int(state["step"]), settings.steps):
        state, metrics = update(state, batch)
        if step % settings.log_every == 0:
            record(log, step, time.monotonic() - started, metrics)
        if (step + 1) % settings.snapshot_every == 0:
            training.save_snapshot(workdir / "progress", state)
        if time.monotonic() - saved > 60 * settings.checkpoint_minutes:
            training.save_state(checkpoint, state)
            saved = time.monotonic()
        if stop.requested:
            break
    training.save_state(checkpoint, state)
    return state


def export(
    arrays: Mapping[str, np.ndarray],
    step: int,
    teacher: VGG,
    photos: Sequence[np.ndarray],
    path: Path,
) -> None:
    """Write the student as a weight file, with each layer at VGG-19's scale on `photos` and noise."""
    pairs = [pair for kind in scaling.pairs(photos, len(photos) // 2).values() for pair in kind]
    factors = scaling.factors(arrays, teacher, pairs)
    logging.info("scale factors of the layers: %s", {k: round(v, 4) for k, v in factors.items()})
    weights = scaling.as_weights(scaling.rescaled(arrays, factors))
    save(path, weights, f"scripts/distill.py, step {step}")


def record(log: Metrics, step: int, seconds: float, metrics: Mapping[str, jax.Array]) -> None:
    """Append a line to metrics.jsonl, and print the total and the similarities."""
    line = {"step": step, "seconds": round(seconds, 1)}
    line |= {key: round(float(value), 5) for key, value in metrics.items()}
    log.write(line)
    similarity = {k.split("/")[1]: round(1 - v, 3) for k, v in line.items() if k.startswith("cka/")}
    logging.info("step %d, %.0f s: total %.4f, CKA %s", step, seconds, line["total"], similarity)


if __name__ == "__main__":
    cli.run(main)
