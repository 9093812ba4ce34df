"""Search for top patches on a cluster: shards are tasks."""

import shutil
from pathlib import Path

from tqdm import tqdm

from nst_jax.cluster.driving import Driver
from nst_jax.cluster.joining import on_cluster
from nst_jax.cluster.searching_task import (
    ROWS,
    SHARDS,
    PictureServer,
    SearchJob,
    Shard,
    is_sent,
    search_shard,
)
from nst_jax.images.streams import Stream
from nst_jax.terminal.signals import StopSignal
from nst_jax.vision.searching.maxima_file import MaximaFile
from nst_jax.vision.searching.search_file import SearchProgress, join_searches, start

SHARD_BATCHES = 8  # at least, so that starting a task is little of its time
MOST_SHARDS = 256  # each leaves a file of a few megabytes until the end


def plan_shards(images: int, batch: int) -> list[Shard]:
    """Divide the stream into shards of whole batches, which are then those of a search on one machine."""
    batches = -(-images // batch)
    size = batch * max(SHARD_BATCHES, -(-batches // MOST_SHARDS))
    return [Shard(begin, min(begin + size, images)) for begin in range(0, images, size)]


def search_remotely(
    job: SearchJob, stream: Stream, folder: Path, address: str, export: MaximaFile | None
) -> tuple[SearchProgress, int]:
    """Search all of `stream` on the cluster at `address`; the int is 0, or the exit status of a signal.

    After a signal the result is empty. Otherwise it equals that of one machine up to the rounding of the
    processors. A shard whose worker dies continues elsewhere from its checkpoint. `seconds`
    are those of all workers.

    Raises:
        UserError: see `on_cluster`; or a shard failed, after the others have ended.
    """
    shards, stop = plan_shards(len(stream), job.settings.batch), StopSignal()
    finished = {shard: progress for shard in shards if (progress := _finished(job, shard, folder))}
    missing = [shard for shard in shards if shard not in finished]
    if missing:
        with on_cluster(address), stop:
            _run_tasks(job, stream, folder, missing, stop)
        finished |= {shard: progress for shard in missing if (progress := _finished(job, shard, folder))}
    if len(finished) < len(shards):
        return start(job.network, job.settings, len(stream)), stop.exit_status
    if export:
        for shard in shards:
            export.append_file(folder / shard.folder / ROWS)
    return join_searches([finished[shard] for shard in shards]), 0


def delete_shards(folder: Path) -> None:
    """Delete the files of all shards of a finished search."""
    shutil.rmtree(folder / SHARDS, ignore_errors=True)


def _finished(job: SearchJob, shard: Shard, folder: Path) -> SearchProgress | None:
    """Return the result of a shard, or None if it has not been searched to its end."""
    progress = job.checkpoint(shard, folder).load()
    return progress if progress and progress.position == shard.end else None


def _run_tasks(job: SearchJob, stream: Stream, folder: Path, shards: list[Shard], stop: StopSignal) -> None:
    """Search `shards`, or until `stop` receives a signal.

    Raises:
        UserError: a shard failed, after the others have ended.
    """
    import ray

    driver, shared = Driver(folder), ray.put(job)
    server = driver.actor(PictureServer, stream) if is_sent(job.settings.data) else None
    for shard in shards:
        where = f"--cluster: pictures {shard.begin} to {shard.end}"
        arguments, died = (shard, shared, server, driver.inbox), f"{where}: the workers died"
        driver.submit(search_shard, *arguments, then=lambda result: None, where=where, died=died)
    done = len(stream) - sum(shard.end - shard.begin for shard in shards)
    with tqdm(total=len(stream), initial=done, unit=" images", dynamic_ncols=True) as bar:
        driver.wait(stop, bar)
