"""Search for top patches: one pass over the data, with a progress bar, checkpoints and Ctrl-C."""

import json
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import safetensors
from safetensors.numpy import save
from tqdm import tqdm

from nst_jax import files
from nst_jax.errors import UserError
from nst_jax.images.streams import Stream
from nst_jax.networks.classifier import Classifier
from nst_jax.networks.network import Network
from nst_jax.runs.interrupt import CtrlC
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

    def __init__(self, path: Path, identity: str):
        """Refer to the file `path`; `identity` describes the network and the data."""
        self.path, self.identity = path, identity

    def save(self, progress: SearchProgress) -> None:
        """Replace the file."""
        arrays = {
            f"{layer}.{field}": np.asarray(array)
            for layer, lists in progress.lists.items()
            for field, array in lists._asdict().items()
        }
        metadata = {
            "identity": self.identity,
            "position": str(progress.position),
            "images": str(progress.images),
            "seconds": repr(progress.seconds),
            "skipped": json.dumps(progress.skipped),
        }
        files.write_bytes(self.path, save(arrays, metadata=metadata))

    def load(self, layers: Sequence[str]) -> SearchProgress | None:
        """Return the saved state, or None if there is none.

        Raises:
            UserError: the file is damaged, or was saved with other weights or data.
        """
        if not self.path.exists():
            return None
        try:
            with safetensors.safe_open(self.path, "numpy") as file:
                saved = file.metadata()
                arrays = {key: jnp.asarray(file.get_tensor(key)) for key in file.keys()}  # noqa: SIM118
        except (safetensors.SafetensorError, OSError) as error:
            raise UserError(f"{self.path}: cannot be read: {error}") from error
        if saved["identity"] != self.identity:
            raise UserError(f"{self.path}: the weights or the data have changed since the run began")
        lists = {
            layer: Strongest(*(arrays[f"{layer}.{field}"] for field in Strongest._fields)) for layer in layers
        }
        position, images, seconds = int(saved["position"]), int(saved["images"]), float(saved["seconds"])
        return SearchProgress(lists, position, images, seconds, tuple(json.loads(saved["skipped"])))


def search(
    network: Network,
    stream: Stream,
    settings: TopPatchesSettings,
    progress: SearchProgress,
    checkpoint: SearchFile,
    classifier: Classifier | None = None,
) -> tuple[SearchProgress, bool]:
    """Continue from `progress` to the end of the stream or until Ctrl-C; the bool is False after Ctrl-C.

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
    with CtrlC() as ctrl_c, _bar(len(stream), position) as bar:
        for batch in stream.batches(settings.batch, position):
            pixels = jnp.asarray(batch.pixels)
            lists, count = step(network, lists, pixels, numbers(batch), classifier, towards=settings.towards)
            position, images = batch.frames[-1].index + 1, images + len(batch.frames)
            in_flight.append(count)
            if len(in_flight) > AHEAD:
                in_flight.popleft().block_until_ready()
            bar.update(position - bar.n)
            if ctrl_c.pressed:
                break
            if time.monotonic() >= due:
                checkpoint.save(now())
                due = time.monotonic() + settings.checkpoint_seconds
        else:
            position = len(stream)  # skips unreadable images at the end of the stream
            bar.update(position - bar.n)
        checkpoint.save(now())
    return now(), not ctrl_c.pressed


def _bar(images: int, position: int) -> tqdm:
    return tqdm(total=images, initial=position, unit=" images", dynamic_ncols=True)
