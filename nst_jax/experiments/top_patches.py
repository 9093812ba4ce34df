"""The image patches that activate each unit most, with their projections (Zeiler & Fergus 2013, Fig 2).

    python -m nst_jax.experiments.top_patches --config=configs/top_patches.py --config.data=folder:PHOTOS
        [--workdir=FOLDER] [--resume] [--cluster=HOST:PORT]

One pass over the data finds the strongest activations of every unit of the given layers, at most one per
image, a histogram of each unit's maxima over the images, and patches at quantiles of them. The folder then
holds units.jsonl, one sheet per layer (patches left, projections right), one with patches at quantiles,
filters.png, and index.html to browse them: photos/ holds reduced copies of the photos, on which it shows
where a patch is from, and with `maximized` maximized/ holds pictures painted to activate the units. With
`export`, there is also activations.npz, the maxima by image. --resume continues after Ctrl-C or a crash.

With `target`, units are ranked by their relevance (gradient times activation) towards a class or a deeper
unit; units.jsonl then also counts the classes of each unit's patches. --cluster searches on the machines of a
Ray cluster.
"""

import dataclasses
from pathlib import Path
from typing import Any

from absl import flags

from nst_jax import cli, files
from nst_jax.cluster.joining import define_cluster
from nst_jax.cluster.remote_search import delete_shards, search_remotely
from nst_jax.cluster.searching_task import SHARDS, SearchJob
from nst_jax.errors import UserError
from nst_jax.networks.trained import Weights
from nst_jax.runs.checkpoint import input_digests
from nst_jax.runs.folder import read_run, read_settings, require_place
from nst_jax.runs.machine import environment, peak_memory_bytes
from nst_jax.runs.progress import duration
from nst_jax.storage.locks import claimed
from nst_jax.vision.one_pass import run_pass
from nst_jax.vision.searching import patches_report
from nst_jax.vision.searching.maxima_file import MaximaFile
from nst_jax.vision.searching.maximized_units import maximizing_work
from nst_jax.vision.searching.search import SearchPass
from nst_jax.vision.searching.search_file import SearchFile, SearchProgress, start
from nst_jax.vision.searching.search_inputs import search_inputs
from nst_jax.vision.searching.search_report import Report
from nst_jax.vision.searching.search_settings import TopPatchesSettings, top_patches_settings

EXAMPLE = "configs/top_patches.py"


def main(argv: list[str]) -> int:
    """Run the search and write the report; return the exit status."""
    values = _parse(argv)
    config, folder = _open(values)
    page = folder / "index.html"
    if values.resume and read_run(folder).get("status") == "done" and page.exists():
        print(f"finished already: {page}")
        return 0
    cli.use_compilation_cache()
    with claimed(folder, new=not values.resume):
        return _run(config, folder, values.resume, values.cluster)


def _run(config: TopPatchesSettings, folder: Path, resume: bool, cluster: str | None) -> int:
    """Search, from the folder's checkpoint with `resume`, and write the report; return the exit status."""
    begun = set().union(*map(input_digests, folder.rglob("checkpoint.safetensors"))) if resume else ()
    stream, network, weights, classifier, names = search_inputs(config, begun)
    job = SearchJob(config, f"{weights.sha256} {len(stream)} images", len(stream), network, classifier)
    checkpoint = SearchFile(folder / "checkpoint.safetensors", job.identity, config)
    if resume:
        _require_same_place(folder, checkpoint.path, cluster)
    progress = checkpoint.load() if resume else None
    if progress is None:
        stream.require_readable()  # before anything is written
        files.write_json(folder / "config.json", dataclasses.asdict(config))
        progress = start(network, config, len(stream))
    export = _export(config, folder, progress)
    work = maximizing_work(network, config)
    if work:
        print(f"maximized: after the search, as much work as {work:.0f} images of it", flush=True)
    if cluster is None:
        searched = SearchPass(network, stream, config, progress, classifier, export)
        found, exit_status = run_pass(stream, searched, checkpoint, config.checkpoint_seconds)
    else:
        found, exit_status = search_remotely(job, stream, folder, cluster, export)
    if exit_status:
        print(f"interrupted; resume with: {cli.resuming('nst_jax.experiments.top_patches', folder)}")
        return exit_status
    summary = _summary(config, weights, found, cluster)
    inputs = found.lists, summary, names, found.distributions, found.sampled
    print("writing the sheets and the page", flush=True)
    patches_report.write_report(Report(config, network, stream, *inputs), folder)
    if export:
        export.write_npz(folder / "activations.npz", stream.name, stream.label)
    files.write_json(folder / "run.json", _record(config, weights, found, cluster))
    checkpoint.path.unlink(missing_ok=True)
    delete_shards(folder)
    if export:
        export.delete()
    print(f"done: {folder / 'index.html'}, {summary}")
    return 0


def _require_same_place(folder: Path, checkpoint: Path, cluster: str | None) -> None:
    """Check that a search begun on a cluster resumes on one, and others do not.

    Raises:
        UserError: it does not.
    """
    if cluster is None and (folder / SHARDS).exists():
        raise UserError(f"--resume: {folder} was begun on a cluster; add --cluster=HOST:PORT, or ray")
    if cluster is not None and checkpoint.exists():
        raise UserError(f"--cluster: {folder} was begun on one machine; resume it without --cluster")


def _export(config: TopPatchesSettings, folder: Path, progress: SearchProgress) -> MaximaFile | None:
    """Open the file of the maxima to export, if they are."""
    if not config.export:
        return None
    units = {layer: len(lists.image) for layer, lists in progress.lists.items()}
    return MaximaFile(folder / "maxima.rows", units, progress.images)


def _parse(argv: list[str]) -> flags.FlagValues:
    values = flags.FlagValues()
    cli.define_resumable(values, argv)
    define_cluster(values)
    cli.parse(values, argv, __doc__ or "", TopPatchesSettings)
    return values


def _open(values: flags.FlagValues) -> tuple[TopPatchesSettings, Path]:
    """Return the settings and the folder; without --config, a resumed run takes its settings from there."""
    if values.resume and values["config"].value is None:
        folder = cli.work_folder(values)
        return top_patches_settings(read_settings(folder)), folder
    config, folder = cli.settings(values, top_patches_settings, EXAMPLE), cli.work_folder(values)
    require_place(folder, dataclasses.asdict(config), values.resume)
    return config, folder


def _summary(
    config: TopPatchesSettings, weights: Weights, progress: SearchProgress, cluster: str | None
) -> str:
    of_workers = " of all workers" if cluster else ""
    skipped = f", {len(progress.skipped)} skipped as unreadable" if progress.skipped else ""
    return (
        f"{progress.images} images of {config.data} at {config.size} px{skipped}, in "
        f"{duration(progress.seconds)}{of_workers}, network {weights.name} (sha256 {weights.sha256[:8]})"
    )


def _record(
    config: TopPatchesSettings, weights: Weights, progress: SearchProgress, cluster: str | None
) -> dict[str, Any]:
    """Return the contents of run.json for a finished run."""
    return {
        "status": "done",
        "network": {"name": weights.name, "arch": weights.arch, "sha256": weights.sha256},
        "data": config.data,
        "images": progress.images,
        "skipped": progress.skipped,
        "worker_seconds" if cluster else "wall_seconds": round(progress.seconds, 3),
        "peak_memory_bytes": peak_memory_bytes(),
        **environment(),
    }


if __name__ == "__main__":
    cli.run(main)
