"""What a worker does in a search for top patches: it searches a range of the stream, a shard."""

import time
from io import BytesIO
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

from nst_jax import cli
from nst_jax.cluster.inbox import Outbox, attempted
from nst_jax.errors import UserError
from nst_jax.images.folders import FOLDER
from nst_jax.images.reading import UnreadableError
from nst_jax.images.sources import Source
from nst_jax.images.streams import Stream
from nst_jax.networks.classifier import Classifier
from nst_jax.networks.network import Network
from nst_jax.vision.searching.maxima_file import MaximaFile
from nst_jax.vision.searching.search import SearchPass
from nst_jax.vision.searching.search_file import SearchFile, start
from nst_jax.vision.searching.search_inputs import stream_of
from nst_jax.vision.searching.search_settings import TopPatchesSettings

SHARDS = "shards"  # the folder of all shards, in the folder of the run
CHECKPOINT, ROWS = "checkpoint.safetensors", "maxima.rows"
PIECE = 16  # pictures that travel together
HELD = 16  # pieces of which a worker keeps the bytes: more than it decodes ahead
Sent = tuple[str, bytes | None, str]  # of a picture: its name, and its file or why that cannot be read


class Shard(NamedTuple):
    """A range of the stream."""

    begin: int
    end: int

    @property
    def folder(self) -> str:
        """The folder of its files, relative to the run's."""
        return f"{SHARDS}/{self.begin:010d}"


class SearchJob(NamedTuple):
    """What all shards of a search have in common."""

    settings: TopPatchesSettings
    identity: str  # of the network and the data
    images: int  # in the whole stream
    network: Network
    classifier: Classifier | None

    def checkpoint(self, shard: Shard, folder: Path) -> SearchFile:
        """Return the checkpoint of a shard, below the run's `folder`."""
        identity = f"{self.identity}, from {shard.begin} to {shard.end}"
        return SearchFile(folder / shard.folder / CHECKPOINT, identity, self.settings)

    def units(self) -> dict[str, int]:
        """Return the number of units by layer."""
        lists = start(self.network, self.settings, 0).lists
        return {layer: len(lists[layer].image) for layer in lists}


class PictureServer:
    """Sends pictures of the driver's machine to workers."""

    def __init__(self, stream: Stream):
        """Send those of `stream`."""
        self._stream = stream

    def read(self, begin: int, end: int) -> list[Sent]:
        """Return the files of the pictures from `begin` to `end`, undecoded."""
        found: list[Sent] = []
        for index in range(begin, min(end, len(self._stream))):
            try:
                data, why = self._stream.contents(index), ""
            except UnreadableError as error:
                data, why = None, error.why
            found.append((self._stream.name(index), data, why))
        return found


def is_sent(data: str) -> bool:
    """Whether the pictures of the config field `data` travel; others must be at hand on each worker."""
    return data.startswith(FOLDER)


def sent_source(server: Any, images: int) -> Source:
    """Return a source of the pictures that the actor `server`, a remote `PictureServer`, sends in pieces."""
    import ray

    pieces: dict[int, list[Sent]] = {}
    lock = Lock()  # the decoding threads share the pieces

    def sent(index: int) -> Sent:
        piece, place = divmod(index, PIECE)
        with lock:
            if piece not in pieces:
                pieces[piece] = ray.get(server.read.remote(piece * PIECE, (piece + 1) * PIECE))
                # The oldest goes: pictures are read in the order of the stream.
                while len(pieces) > HELD:
                    pieces.pop(next(iter(pieces)))
            return pieces[piece][place]

    def opened(index: int) -> BytesIO:
        name, data, why = sent(index)
        if data is None:
            raise UnreadableError(name, why)
        return BytesIO(data)

    return Source(images, lambda index: sent(index)[0], opened)


def search_shard(shard: Shard, job: SearchJob, server: Any, inbox: Any) -> None:
    """Search a shard in a temporary folder, from where an earlier attempt ended; its files go to `inbox`.

    `server` and `inbox` are the handles of a remote `PictureServer`, or None if no pictures travel, and of a
    remote `Inbox`.

    Raises:
        UserError: the data is missing here, or a file cannot be written.
    """
    cli.use_compilation_cache()
    with attempted(inbox, shard.folder, [shard.folder]) as attempt:
        if attempt is None:
            return
        folder, send = attempt
        outbox, checkpoint = Outbox(folder), job.checkpoint(shard, folder)
        searched = _resumed(shard, job, checkpoint, _stream(job, server))
        due = time.monotonic() + job.settings.checkpoint_seconds

        def report(saved: bool) -> bool:
            """Report the position, with the files if they are to be saved; return whether to go on."""
            if saved:
                checkpoint.save(searched.now())
            changed = outbox.take() if saved else {}
            # The checkpoint comes last: the rows of maxima that it counts are at home before it.
            ordered = {name: changed[name] for name in sorted(changed, key=lambda name: CHECKPOINT in name)}
            return send(ordered, searched.position - shard.begin)

        for _ in searched.positions(shard.end):
            saved = time.monotonic() >= due
            due = time.monotonic() + job.settings.checkpoint_seconds if saved else due
            if not report(saved):
                break
        report(saved=True)


def _stream(job: SearchJob, server: Any) -> Stream:
    settings = job.settings
    if server is not None:
        source = sent_source(server, job.images)
        return Stream(settings.data, settings.size, workers=settings.workers, source=source)
    stream = stream_of(settings)
    if len(stream) != job.images:
        raise UserError(
            f"data: {settings.data!r} has {len(stream)} pictures here, but {job.images} elsewhere"
        )
    return stream


def _resumed(shard: Shard, job: SearchJob, checkpoint: SearchFile, stream: Stream) -> SearchPass:
    progress = checkpoint.load() or start(job.network, job.settings, job.images, *shard)
    rows, export = checkpoint.path.with_name(ROWS), None
    if job.settings.export:
        export = MaximaFile(rows, job.units(), progress.images)
    return SearchPass(job.network, stream, job.settings, progress, job.classifier, export)
