"""Teach a compact network what VGG-19 sees; see configs/distill.py for the command."""

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TextIO

import jax
import numpy as np
from absl import app, flags, logging
from ml_collections import ConfigDict, config_flags

from nst_jax.distill import balance, data, scaling, training
from nst_jax.distill.teachers import Taught, read_teachers
from nst_jax.weights import save

CONFIG = config_flags.DEFINE_config_file("config", "configs/distill.py", "The training's settings.")
WORKDIR = flags.DEFINE_string("workdir", "runs/distill", "Where everything is written.")
RESUME = flags.DEFINE_bool("resume", False, "Go on from the checkpoint in --workdir.")
FIRST_IMAGES = 32  # images that the least-squares start is made from
BALANCE_PHOTOS = 150  # training pictures that set the filters' scales, about
SCALE_PHOTOS = 16  # held-out photographs that set the layers' scales
SIDE = 224  # pixels of both


def main(argv: Sequence[str]) -> None:
    """Read, train, export."""
    if len(argv) > 1:
        raise app.UsageError(f"unknown arguments: {argv[1:]}")
    config, workdir = CONFIG.value, Path(WORKDIR.value)
    workdir.mkdir(parents=True, exist_ok=True)
    (workdir / "config.json").write_text(config.to_json(indent=2))
    teachers = config.teachers
    taught = read_teachers(Path(teachers.shallow), Path(teachers.deep))
    chosen, held_out = data.split(Path(config.image_root), config.images, config.seed)
    pictures = [data.decode(file) for file in chosen]
    logging.info("%d pictures; on %s", len(pictures), jax.devices())
    state = train(config, taught, pictures, workdir)
    every = max(1, len(pictures) // BALANCE_PHOTOS)
    shown = [data.square(picture, SIDE) for picture in pictures[::every]]
    arrays = balance.balanced(scaling.folded(state["trained"]["student"]), taught, shown)
    scaled_on = (held_out or chosen)[-SCALE_PHOTOS:]
    apart = [data.square(data.decode(file), SIDE) for file in scaled_on]
    export(arrays, int(state["step"]), taught, apart, workdir / "student.safetensors")


def recipe_of(config: ConfigDict) -> training.Recipe:
    """The part of the config that a training step depends on."""
    return training.Recipe(
        seed=config.seed,
        steps=config.steps,
        learning_rate=config.learning_rate,
        widths=tuple(config.widths),
        natural=config.natural,
        terms=dict(config.terms),
        frozen_up_to=config.frozen_up_to,
    )


def train(
    config: ConfigDict,
    taught: Taught,
    pictures: Sequence[np.ndarray],
    workdir: Path,
) -> training.State:
    """Run the steps that are left, with snapshots, and a checkpoint every few minutes and at the end."""

    def make(step: int, count: int = config.batch, natural: int = config.natural) -> np.ndarray:
        return data.batch(pictures, config.seed, step, count, natural, config.crop)

    recipe, checkpoint = recipe_of(config), workdir / "checkpoint.npz"
    if RESUME.value:
        state = training.load_state(checkpoint, training.blank_state(recipe, taught))
    else:
        # The step after this stage's last, so that the start has pictures of its own.
        first = make(config.steps, FIRST_IMAGES, FIRST_IMAGES * config.natural // config.batch)
        state = training.first_state(recipe, taught, first)
    update = training.make_step(recipe, taught)
    started = saved = time.monotonic()
    with (workdir / "metrics.jsonl").open("a") as log:
        for step, batch in data.prefetched(make, int(state["step"]), config.steps):
            state, metrics = update(state, batch)
            if step % config.log_every == 0:
                record(log, step, time.monotonic() - started, metrics)
            if (step + 1) % config.snapshot_every == 0:
                training.save_snapshot(workdir / "progress", state)
            if time.monotonic() - saved > 60 * config.checkpoint_minutes:
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
    """One line of JSON; the similarities also for whoever looks on."""
    line = {"step": step, "seconds": round(seconds, 1)}
    line |= {key: round(float(value), 5) for key, value in metrics.items()}
    print(json.dumps(line), file=log, flush=True)
    alike = {k.split("/")[1]: round(1 - v, 3) for k, v in line.items() if k.startswith("cka/")}
    logging.info("step %d, %.0f s: total %.4f, CKA %s", step, seconds, line["total"], alike)


if __name__ == "__main__":
    app.run(main)
