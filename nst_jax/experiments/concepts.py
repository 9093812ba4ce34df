"""Concepts of a layer: directions of which its activations are sums, with what shows each (Fel et al. 2023).

    python -m nst_jax.experiments.concepts --config=configs/concepts.py --config.data=folder:PHOTOS
        [--workdir=FOLDER] [--resume]

The first pass over the data draws positions, whose activations are factorised into non-negative concepts. The
second one finds the patches with most of each concept, one per image, and its share of the activation. The
folder then holds concepts.json, concepts.npz with the directions, sheet.png with the patches, a maximised
picture and pictures that are bright where the concept is, and maps.png with more of these. With `target`,
concepts.json also has the importance of each concept for the score of a class. --resume continues after
Ctrl-C or a crash.
"""

import dataclasses
import io
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from absl import flags

from nst_jax import cli, files, images
from nst_jax.config import fields
from nst_jax.networks.trained import Weights
from nst_jax.runs.checkpoint import input_digests
from nst_jax.runs.folder import read_run, read_settings, require_place
from nst_jax.runs.machine import environment, peak_memory_bytes
from nst_jax.runs.progress import duration
from nst_jax.storage.locks import claimed
from nst_jax.vision.concepts.concept_file import ConceptFile
from nst_jax.vision.concepts.concept_inputs import concept_inputs
from nst_jax.vision.concepts.concept_report import report_concepts
from nst_jax.vision.concepts.concept_search import ConceptProgress, find_concepts
from nst_jax.vision.concepts.concept_settings import ConceptSettings
from nst_jax.vision.one_pass import run_pass

EXAMPLE = "configs/concepts.py"


def main(argv: list[str]) -> int:
    """Find the concepts and write the report; return the exit status."""
    values = flags.FlagValues()
    cli.define_resumable(values, argv)
    cli.parse(values, argv, __doc__ or "", ConceptSettings)
    settings, folder = _open(values)
    sheet = folder / "sheet.png"
    if values.resume and read_run(folder).get("status") == "done" and sheet.exists():
        print(f"finished already: {sheet}")
        return 0
    cli.use_compilation_cache()
    with claimed(folder, new=not values.resume):
        return _run(settings, folder, values.resume)


def _open(values: flags.FlagValues) -> tuple[ConceptSettings, Path]:
    """Return the settings and the folder; without --config, a resumed run takes its settings from there."""
    build = partial(fields.from_config, ConceptSettings)
    if values.resume and values["config"].value is None:
        folder = cli.work_folder(values)
        return build(read_settings(folder)), folder
    settings, folder = cli.settings(values, build, EXAMPLE), cli.work_folder(values)
    require_place(folder, dataclasses.asdict(settings), values.resume)
    return settings, folder


def _run(settings: ConceptSettings, folder: Path, resume: bool) -> int:
    """Search, from the folder's checkpoint with `resume`, and write the report; return the exit status."""
    path = folder / "checkpoint.safetensors"
    stream, network, weights, classifier, names = concept_inputs(
        settings, input_digests(path) if resume else ()
    )
    checkpoint = ConceptFile(path, f"{weights.sha256} {len(stream)} images", settings)
    progress = checkpoint.load() if resume else None
    if progress is None:
        stream.require_readable()  # before anything is written
        files.write_json(folder / "config.json", dataclasses.asdict(settings))
    run = partial(run_pass, stream, checkpoint=checkpoint, checkpoint_seconds=settings.checkpoint_seconds)
    found, exit_status = find_concepts(network, stream, settings, run, progress)
    if exit_status:
        print(f"interrupted; resume with: {cli.resuming('nst_jax.experiments.concepts', folder)}")
        return exit_status
    print("writing the sheets", flush=True)
    report = report_concepts(network, stream, settings, found.state, classifier, names)
    images.write(folder / "sheet.png", report.sheet)
    images.write(folder / "maps.png", report.maps)
    arrays = io.BytesIO()
    np.savez_compressed(arrays, directions=report.directions, shares=report.shares)
    files.write_bytes(folder / "concepts.npz", arrays.getvalue())
    files.write_json(folder / "concepts.json", report.record)
    files.write_json(folder / "run.json", _record(settings, weights, found))
    path.unlink(missing_ok=True)
    print(f"done: {folder / 'sheet.png'}, {_summary(settings, weights, found)}")
    return 0


def _summary(settings: ConceptSettings, weights: Weights, found: ConceptProgress) -> str:
    skipped = f", {len(found.skipped)} skipped as unreadable" if found.skipped else ""
    return (
        f"{settings.concepts} concepts explain {found.state.shares.sum():.0%} of {settings.layer} in "
        f"{found.images} images of {settings.data}{skipped}, in {duration(found.seconds)}, network "
        f"{weights.name} (sha256 {weights.sha256[:8]})"
    )


def _record(settings: ConceptSettings, weights: Weights, found: ConceptProgress) -> dict[str, Any]:
    """Return the contents of run.json for a finished run."""
    return {
        "status": "done",
        "network": {"name": weights.name, "arch": weights.arch, "sha256": weights.sha256},
        "data": settings.data,
        "images": found.images,
        "skipped": found.skipped,
        "wall_seconds": round(found.seconds, 3),
        "peak_memory_bytes": peak_memory_bytes(),
        **environment(),
    }


if __name__ == "__main__":
    cli.run(main)
