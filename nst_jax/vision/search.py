"""Search for top patches: one pass over the data, with a progress bar, checkpoints and signals."""

import dataclasses
import json
import time
from collections import deque
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from tqdm import tqdm

from nst_jax.errors import UserError
from nst_jax.images.streams import Stream
from nst_jax.networks.classifier import Classifier
from nst_jax.networks.network import Network
from nst_jax.runs.folder import require_same
from nst_jax.storage.archives import read_archive, write_archive
from nst_jax.terminal.signals import StopSignal
from nst_jax.vision.search_settings import TopPatchesSettings
from nst_jax.vision.top_patches import Strongest, empty_lists, numbers, step

AHEAD = 2  # batches in flight: the device never idles, and memory stays bounded


class SearchProgress(NamedTuple):
    """The state of a search, from which it can resume."""

    lists: dict[str, Strongest]
    position: int  # index of the next image in the stream
    images: int  # number of images seen so far
    seconds: float
    skipped: tuple[str, ...]  # images that could not be read, with the reasons


def start(network: Network, settings: TopPatchesSettings) -> SearchProgress:
    """Return the state before the first image."""
    return SearchProgress(empty_lists(network, settings.layers, settings.size, settings.top), 0, 0, 0.0, ())


class SearchFile:
    """The checkpoint file of a search, written atomically."""

    def __init__(self, path: Path, identity: str, settings: TopPatchesSettings):
        """Refer to the file `path`; `identity` describes the network and the data of the search."""
        self.path, self.identity, self.settings = path, identity, dataclasses.asdict(settings)

    def save(self, progress: SearchProgress) -> None:
        """Replace the file."""
        arrays = {
            f"{layer}.{field}": np.asarray(array)
            for layer, lists in progress.lists.items()
            for field, array in lists._asdict().items()
        }
        metadata = {
            "identity": self.identity,
            "settings": json.dumps(self.settings),
            "position": str(progress.position),
            "images": str(progress.images),
            "seconds": repr(progress.seconds),
            "skipped": json.dumps(progress.skipped),
        }
        write_archive(self.path, arrays, metadata)

    def load(self) -> SearchProgress | None:
        """Return the saved state, or None if there is none.

        Raises:
            UserError: the file is damaged, or was saved with other settings, weights or data.
        """
        if not self.path.exists():
            return None
        arrays, saved = read_archive(self.path)
        try:
            require_same(self.settings, json.loads(saved["settings"]))
            if saved["identity"] != self.identity:
                raise UserError(f"{self.path}: the weights or the data have changed since the run began")
            lists = {
                layer: Strongest(*(jnp.asarray(arrays[f"{layer}.{field}"]) for field in Strongest._fields))
                for layer in self.settings["layers"]
            }
            position, images, seconds = int(saved["position"]), int(saved["images"]), float(saved["seconds"])
        except KeyError as error:
            raise UserError(f"{self.path}: is not the checkpoint of a search: {error} is missing") from error
        return SearchProgress(lists, position, images, seconds, tuple(json.loads(saved["skipped"])))


def search(
    network: Network,
    stream: Stream,
    settings: TopPatchesSettings,
    progress: SearchProgress,
    checkpoint: SearchFile,
    classifier: Classifier | None = None,
) -> tuple[SearchProgress, int]:
    """Continue from `progress` to the end of the stream; the int is 0, or the exit status of a signal.

    Units are ranked as `settings.target` says; classes require a `classifier`.

    The checkpoint is written every `settings.checkpoint_seconds` and at the end.
    """
    began = time.monotonic() - progress.seconds
    lists, position, images, earlier = progress.lists, progress.position, progress.images, progress.skipped

    def now() -> SearchProgress:
        skipped = (*earlier, *stream.skipped)
        return SearchProgress(jax.device_get(lists), position, images, time.monotonic() - began, skipped)

    due = time.monotonic() + settings.checkpoint_seconds
    in_flight = deque[jax.Array]()
    with StopSignal() as stop, _bar(len(stream), position) as bar:
        for batch in stream.batches(settings.batch, position):
            pixels = jnp.asarray(batch.pixels)
            lists, count = step(network, lists, pixels, numbers(batch), classifier, towards=settings.towards)
            position, images = batch.frames[-1].index + 1, images + len(batch.frames)
            in_flight.append(count)
            if len(in_flight) > AHEAD:
                in_flight.popleft().block_until_ready()
            bar.update(position - bar.n)
            if stop.requested:
                break
            if time.monotonic() >= due:
                checkpoint.save(now())
                due = time.monotonic() + settings.checkpoint_seconds
        else:
            position = len(stream)  # skips unreadable images at the end of the stream
            bar.update(position - bar.n)
        checkpoint.save(now())
    return now(), stop.exit_status if stop.requested and position < len(stream) else 0


def _bar(images: int, position: int) -> tqdm:
    return tqdm(total=images, initial=position, unit=" images", dynamic_ncols=True)
