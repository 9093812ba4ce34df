"""The images that fire every unit most, beside what fires it (Zeiler & Fergus 2013, Fig 2).

    python -m experiments.top_patches --config=configs/top_patches.py --config.data=folder:PHOTOS
        [--workdir=FOLDER] [--resume]

One pass over the data finds, for every unit of every layer asked for, its strongest activations, at most
one per image. The folder then holds units.jsonl, a sheet per layer (patches left, projections right),
filters.png, and index.html to browse them. After Ctrl-C or a crash, --resume goes on.
"""

import dataclasses
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from absl import flags

from nst_jax import cli, files, report, stylize
from nst_jax.data import Stream
from nst_jax.errors import UserError
from nst_jax.networks import VGG
from nst_jax.run_folder import environment, peak_memory_bytes, read_run
from nst_jax.vision import patches_report, search, settings, units
from nst_jax.vision.patches_report import Report
from nst_jax.vision.search import Checkpoint, Standing
from nst_jax.vision.settings import TopPatches
from nst_jax.weights import Weights


def main(argv: list[str]) -> int:
    """Search, then draw; the exit status is returned."""
    values = _parse(argv)
    config, folder = _open(values)
    if values.resume and read_run(folder).get("status") == "done":
        print(f"finished already: {folder / 'index.html'}")
        return 0
    cli.use_compilation_cache()
    stream = Stream(config.data, config.size, config.limit, config.shuffle, config.seed, config.workers)
    network, weights = load(config)
    checkpoint = Checkpoint(folder / "checkpoint.safetensors", f"{weights.sha256} {len(stream)} images")
    standing = checkpoint.load(config.layers) if values.resume else None
    if standing is None:
        next(stream.batches(1))  # refuses data of which nothing can be read, before anything is written
        files.write_json(folder / "config.json", dataclasses.asdict(config))
        standing = search.start(network, config)
    standing, finished = search.search(network, stream, config, standing, checkpoint)
    if not finished:
        print(f"interrupted after {standing.images} images: go on with --workdir={folder} --resume")
        return cli.EXIT_INTERRUPTED
    summary = _summary(config, weights, standing)
    patches_report.write(Report(config, network, weights.arch, stream, standing.lists, summary), folder)
    files.write_json(folder / "run.json", _record(config, weights, standing))
    checkpoint.path.unlink(missing_ok=True)
    print(f"done: {folder / 'index.html'}, {summary}")
    return 0


def load(config: TopPatches) -> tuple[VGG, Weights]:
    """The network, with all the layers and units asked for.

    Raises:
        UserError: it cannot be had, or ends before one of the layers, or lacks a unit.
    """
    network, weights = stylize.load_network(config.network, config.layers)
    units.require_layers("layers", config.layers, network, weights)
    for layer, lists in search.start(network, config).lists.items():
        config.units_of(layer, len(lists.image))
    return network, weights


def _parse(argv: list[str]) -> flags.FlagValues:
    values = flags.FlagValues()
    cli.define_resumable(values, argv)
    cli.parse(values, argv, __doc__ or "")
    return values


def _open(values: flags.FlagValues) -> tuple[TopPatches, Path]:
    """The settings and the folder; those of a run to resume come from its folder, and must agree."""
    if values.resume and values.workdir is None:
        raise UserError("--resume: say which run folder with --workdir")
    if values["config"].value is None:
        if not values.resume:
            raise UserError("--config: missing; try --config=configs/top_patches.py")
        return settings.from_config(_saved(Path(values.workdir))), Path(values.workdir)
    config = settings.from_config(cli.config_value(values))
    name = f"runs/{cli.config_name(values)}-{time.strftime('%Y%m%d-%H%M%S')}"
    folder = Path(values.workdir or name)
    begun = (folder / "config.json").exists()
    if begun and not values.resume:
        raise UserError(f"--workdir: {folder} holds a run already; add --resume, or choose another")
    if begun:
        _check_same(dataclasses.asdict(config), _saved(folder))
    return config, folder


def _saved(folder: Path) -> dict[str, Any]:
    file = folder / "config.json"
    try:
        return json.loads(file.read_text())
    except FileNotFoundError as error:
        raise UserError(f"--workdir: {folder} holds no run to resume (no config.json)") from error
    except (OSError, json.JSONDecodeError) as error:
        raise UserError(f"{file}: cannot be read: {error}") from error


def _check_same(now: Mapping[str, Any], saved: Mapping[str, Any]) -> None:
    for name, value in json.loads(json.dumps(now)).items():
        if value != saved.get(name):
            raise UserError(f"--resume: {name} is {value} now but was {saved.get(name)} when the run began")


def _summary(config: TopPatches, weights: Weights, standing: Standing) -> str:
    skipped = f", {len(standing.skipped)} skipped as unreadable" if standing.skipped else ""
    return (
        f"{standing.images} images of {config.data} at {config.size} px{skipped}, in "
        f"{report.duration(standing.seconds)}, network {weights.name} (sha256 {weights.sha256[:8]})"
    )


def _record(config: TopPatches, weights: Weights, standing: Standing) -> dict[str, Any]:
    """What run.json holds of a finished run."""
    return {
        "status": "done",
        "network": {"name": weights.name, "arch": weights.arch, "sha256": weights.sha256},
        "data": config.data,
        "images": standing.images,
        "skipped": standing.skipped,
        "wall_seconds": round(standing.seconds, 3),
        "peak_memory_bytes": peak_memory_bytes(),
        **environment(),
    }


if __name__ == "__main__":
    cli.run(main)
