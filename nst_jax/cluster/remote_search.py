"""Search for top patches on a cluster, with a progress bar and signals: shards are tasks."""

import shutil
from pathlib import Path
from typing import Any

from tqdm import tqdm

from nst_jax.cluster.inbox import Inbox
from nst_jax.cluster.joining import alive_nodes, on_cluster, pinned_to, this_node, whole_machine
from nst_jax.cluster.remote_sweep import POLL_SECONDS, RETRIES
from nst_jax.cluster.searching_task import (
    ROWS,
    SHARDS,
    PictureDesk,
    SearchJob,
    Shard,
    is_sent,
    search_shard,
)
from nst_jax.errors import UserError
from nst_jax.images.streams import Stream
from nst_jax.terminal.signals import StopSignal
from nst_jax.vision.maxima_file import MaximaFile
from nst_jax.vision.search_file import SearchProgress, join_searches, start

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

    here = pinned_to(this_node())
    inbox: Any = ray.remote(Inbox).options(**here).remote(str(folder.absolute()))
    desk = ray.remote(PictureDesk).options(**here).remote(stream) if is_sent(job.settings.data) else None
    task: Any = ray.remote(search_shard).options(max_retries=RETRIES, **whole_machine())
    shared = ray.put(job)
    tasks = {task.remote(shard, shared, desk, inbox): shard for shard in shards}
    failures: list[UserError] = []
    total = sum(shard.end - shard.begin for shard in shards)
    options = {"initial": len(stream) - total, "unit": " images", "dynamic_ncols": True}
    told = False
    with tqdm(total=len(stream), **options) as bar:
        while tasks:
            ready, _ = ray.wait(list(tasks), timeout=POLL_SECONDS)
            for reference in ready:
                failures += _failure(reference, tasks.pop(reference))
            if stop.requested and not told:
                ray.get(inbox.stop.remote())
                told = True
            bar.set_postfix_str(f"{len(alive_nodes())} machines", refresh=False)
            bar.update(len(stream) - total + sum(ray.get(inbox.steps.remote()).values()) - bar.n)
    if failures:
        raise failures[0]


def _failure(reference: Any, shard: Shard) -> list[UserError]:
    """Return why the task of a shard failed, if it did."""
    import ray

    where = f"--cluster: pictures {shard.begin} to {shard.end}"
    try:
        ray.get(reference)
    except ray.exceptions.RayTaskError as error:
        if not isinstance(error.cause, UserError):
            raise
        return [error.cause.prefixed(where)]
    except ray.exceptions.RayError as error:  # its workers died too often
        return [UserError(f"{where}: the workers died: {error}")]
    return []
