"""The search for top patches as a pass over the data."""

import time
from collections import deque
from collections.abc import Iterator

import jax
import jax.numpy as jnp

from nst_jax.images.streams import Stream
from nst_jax.networks.classifier import Classifier
from nst_jax.networks.network import Network
from nst_jax.vision.one_pass import AHEAD
from nst_jax.vision.searching.distributions import slots_of, tally
from nst_jax.vision.searching.maxima_file import MaximaFile
from nst_jax.vision.searching.search_file import SearchProgress
from nst_jax.vision.searching.search_settings import TopPatchesSettings
from nst_jax.vision.searching.top_patches import Strongest, numbers, step


class SearchPass:
    """A pass over a range of the stream, of which `now` returns the state."""

    def __init__(
        self,
        network: Network,
        stream: Stream,
        settings: TopPatchesSettings,
        progress: SearchProgress,
        classifier: Classifier | None = None,
        export: MaximaFile | None = None,
    ):
        """Continue from `progress`; the maxima go to `export`.

        Units are ranked as `settings.target` says; classes require a `classifier`.
        """
        self._network, self._stream, self._settings = network, stream, settings
        self._classifier, self._export, self._progress = classifier, export, progress
        self._began = time.monotonic() - progress.seconds
        self._in_flight = deque[tuple[dict[str, Strongest], int]]()

    def positions(self, end: int) -> Iterator[int]:
        """Search up to `end`, batch by batch; yield the position after each."""
        settings = self._settings
        for batch in self._stream.batches(settings.batch, self.position, end):
            pixels, where, progress = jnp.asarray(batch.pixels), numbers(batch), self._progress
            lists, found = step(
                self._network, progress.lists, pixels, where, self._classifier, towards=settings.towards
            )
            self._progress = progress._replace(
                lists=lists,
                distributions=tally(progress.distributions, found, slots_of(batch, progress.sampled)),
                position=batch.frames[-1].index + 1,
                images=progress.images + len(batch.frames),
            )
            # The host prepares the next batch while the device computes this one.
            self._in_flight.append((found, len(batch.frames)))
            self._wait(AHEAD)
            yield self.position
        self._progress = self._progress._replace(position=end)  # skips unreadable images at the end
        yield end

    @property
    def position(self) -> int:
        """Index of the next image in the stream."""
        return self._progress.position

    def now(self) -> SearchProgress:
        """Wait for the device, and return a copy of the state; its maxima are then on the disk."""
        self._wait(0)
        if self._export:
            self._export.flush()
        progress = self._progress
        return progress._replace(
            lists=jax.device_get(progress.lists),
            distributions=jax.device_get(progress.distributions),
            seconds=time.monotonic() - self._began,
            skipped=(*progress.skipped, *self._stream.skipped),
        )

    def _wait(self, most: int) -> None:
        """Wait until there are at most `most` batches in flight."""
        while len(self._in_flight) > most:
            found, images = self._in_flight.popleft()
            jax.block_until_ready(found)
            if self._export:
                self._export.append(found, images)
