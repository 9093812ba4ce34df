"""Search for top patches: one pass over the data, with a progress bar, checkpoints and signals."""

import time
from collections import deque

import jax
import jax.numpy as jnp
from tqdm import tqdm

from nst_jax.images.streams import Stream
from nst_jax.networks.classifier import Classifier
from nst_jax.networks.network import Network
from nst_jax.terminal.signals import StopSignal
from nst_jax.vision.distributions import slots_of, tally
from nst_jax.vision.maxima_file import MaximaFile
from nst_jax.vision.search_file import SearchFile, SearchProgress
from nst_jax.vision.search_settings import TopPatchesSettings
from nst_jax.vision.top_patches import Strongest, numbers, step

AHEAD = 2  # batches in flight: the device never idles, and memory stays bounded


class _InFlight:
    """Batches that the device has not finished; their maxima go to `export` as they are."""

    def __init__(self, export: MaximaFile | None):
        self._export = export
        self._batches = deque[tuple[dict[str, Strongest], int]]()

    def add(self, found: dict[str, Strongest], images: int) -> None:
        self._batches.append((found, images))
        self.wait(AHEAD)

    def wait(self, most: int) -> None:
        """Wait until there are at most `most` batches in flight."""
        while len(self._batches) > most:
            found, images = self._batches.popleft()
            jax.block_until_ready(found)
            if self._export:
                self._export.append(found, images)


def search(
    network: Network,
    stream: Stream,
    settings: TopPatchesSettings,
    progress: SearchProgress,
    checkpoint: SearchFile,
    classifier: Classifier | None = None,
    export: MaximaFile | None = None,
) -> tuple[SearchProgress, int]:
    """Continue from `progress` to the end of the stream; the int is 0, or the exit status of a signal.

    Units are ranked as `settings.target` says; classes require a `classifier`.

    The checkpoint is written every `settings.checkpoint_seconds` and at the end.
    """
    began = time.monotonic() - progress.seconds
    lists, distributions, sampled, position, images, _, earlier = progress
    in_flight = _InFlight(export)

    def saved() -> SearchProgress:
        in_flight.wait(0)
        if export:
            export.flush()
        strongest, counted = jax.device_get((lists, distributions))
        seconds, skipped = time.monotonic() - began, (*earlier, *stream.skipped)
        now = SearchProgress(strongest, counted, sampled, position, images, seconds, skipped)
        checkpoint.save(now)
        return now

    due = time.monotonic() + settings.checkpoint_seconds
    with StopSignal() as stop, _bar(len(stream), position) as bar:
        for batch in stream.batches(settings.batch, position):
            pixels = jnp.asarray(batch.pixels)
            lists, found = step(network, lists, pixels, numbers(batch), classifier, towards=settings.towards)
            distributions = tally(distributions, found, slots_of(batch, sampled))
            position, images = batch.frames[-1].index + 1, images + len(batch.frames)
            in_flight.add(found, len(batch.frames))
            bar.update(position - bar.n)
            if stop.requested:
                break
            if time.monotonic() >= due:
                saved()
                due = time.monotonic() + settings.checkpoint_seconds
        else:
            position = len(stream)  # skips unreadable images at the end of the stream
            bar.update(position - bar.n)
        progress = saved()
    return progress, stop.exit_status if stop.requested and position < len(stream) else 0


def _bar(images: int, position: int) -> tqdm:
    return tqdm(total=images, initial=position, unit=" images", dynamic_ncols=True)
