"""The pass over the data: each batch through the step, with a progress bar, checkpoints and Ctrl-C."""

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
from nst_jax.networks.network import Network
from nst_jax.runs.interrupt import CtrlC
from nst_jax.vision.search_settings import TopPatchesSettings
from nst_jax.vision.top_patches import Strongest, empty_lists, numbers, step

AHEAD = 2  # batches given to the device before the host waits: it never idles, and memory stays bounded


class Standing(NamedTuple):
    """How far a pass has come; all that going on with it needs."""

    lists: dict[str, Strongest]
    position: int  # in the stream: the next image to see
    images: int  # seen so far
    seconds: float
    skipped: tuple[str, ...]  # what could not be read, with the reasons


def start(network: Network, settings: TopPatchesSettings) -> Standing:
    """Before the first image."""
    return Standing(empty_lists(network, settings.layers, settings.size, settings.top), 0, 0, 0.0, ())


class SearchFile:
    """A pass's file for going on later; whole or absent."""

    def __init__(self, path: Path, identity: str):
        """Name the file; `identity` tells which network and data it belongs to."""
        self.path, self.identity = path, identity

    def save(self, standing: Standing) -> None:
        """Replace the file."""
        arrays = {
            f"{layer}.{field}": np.asarray(array)
            for layer, lists in standing.lists.items()
            for field, array in lists._asdict().items()
        }
        about = {
            "identity": self.identity,
            "position": str(standing.position),
            "images": str(standing.images),
            "seconds": repr(standing.seconds),
            "skipped": json.dumps(standing.skipped),
        }
        files.write_bytes(self.path, save(arrays, metadata=about))

    def load(self, layers: Sequence[str]) -> Standing | None:
        """What was saved, or None where nothing was.

        Raises:
            UserError: the file is damaged, or belongs to another network or other data.
        """
        if not self.path.exists():
            return None
        try:
            with safetensors.safe_open(self.path, "numpy") as file:
                about = file.metadata()
                arrays = {key: jnp.asarray(file.get_tensor(key)) for key in file.keys()}  # noqa: SIM118
        except (safetensors.SafetensorError, OSError) as error:
            raise UserError(f"{self.path}: cannot be read: {error}") from error
        if about["identity"] != self.identity:
            raise UserError(f"{self.path}: the weights or the data are not those that the run began with")
        lists = {
            layer: Strongest(*(arrays[f"{layer}.{field}"] for field in Strongest._fields)) for layer in layers
        }
        skipped = tuple(json.loads(about["skipped"]))
        return Standing(lists, int(about["position"]), int(about["images"]), float(about["seconds"]), skipped)


def search(
    network: Network, stream: Stream, settings: TopPatchesSettings, standing: Standing, checkpoint: SearchFile
) -> tuple[Standing, bool]:
    """Go on from `standing` to the end of the stream, or until Ctrl-C; which of them, the bool tells.

    The checkpoint is written every `settings.checkpoint_seconds` and at the end.
    """
    began = time.monotonic() - standing.seconds
    lists, position, images, earlier = standing.lists, standing.position, standing.images, standing.skipped

    def now() -> Standing:
        skipped = (*earlier, *stream.skipped)
        return Standing(jax.device_get(lists), position, images, time.monotonic() - began, skipped)

    due = time.monotonic() + settings.checkpoint_seconds
    under_way = deque[jax.Array]()
    with CtrlC() as ctrl_c, _bar(len(stream), position) as bar:
        for batch in stream.batches(settings.batch, position):
            lists, count = step(network, lists, jnp.asarray(batch.pixels), numbers(batch))
            position, images = batch.frames[-1].index + 1, images + len(batch.frames)
            under_way.append(count)
            if len(under_way) > AHEAD:
                under_way.popleft().block_until_ready()
            bar.update(position - bar.n)
            if ctrl_c.pressed:
                break
            if time.monotonic() >= due:
                checkpoint.save(now())
                due = time.monotonic() + settings.checkpoint_seconds
        else:
            position = len(stream)  # past what could not be read at the very end
            bar.update(position - bar.n)
        checkpoint.save(now())
    return now(), not ctrl_c.pressed


def _bar(images: int, position: int) -> tqdm:
    return tqdm(total=images, initial=position, unit=" images", dynamic_ncols=True)
