"""The state of a search for top patches, and the checkpoint file that holds it."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Int

from nst_jax.errors import UserError
from nst_jax.networks.network import Network
from nst_jax.runs.folder import require_same
from nst_jax.storage.archives import read_archive, write_archive
from nst_jax.vision.searching.distributions import Maxima, join_distributions, nothing_counted, sampled_images
from nst_jax.vision.searching.search_settings import TopPatchesSettings
from nst_jax.vision.searching.top_patches import Strongest, empty_lists, merge


class SearchProgress(NamedTuple):
    """The state of a search, from which it can resume."""

    lists: dict[str, Strongest]
    distributions: dict[str, Maxima]
    sampled: Int[np.ndarray, "sampled"]  # indices of the images in the samples of `distributions`
    position: int  # index of the next image in the stream
    images: int  # number of images seen so far
    seconds: float
    skipped: tuple[str, ...]  # images that could not be read, with the reasons


def start(
    network: Network, settings: TopPatchesSettings, images: int, begin: int = 0, end: int | None = None
) -> SearchProgress:
    """Return the state before the image at `begin`, of a search among `images` that ends before `end`."""
    lists = empty_lists(network, settings.layers, settings.size, settings.top)
    sampled = sampled_images(images, settings.sample, settings.seed)
    sampled = sampled[(begin <= sampled) & (sampled < (images if end is None else end))]
    distributions = {layer: nothing_counted(len(lists[layer].image), len(sampled)) for layer in lists}
    return SearchProgress(lists, distributions, sampled, begin, 0, 0.0, ())


def join_searches(parts: Sequence[SearchProgress]) -> SearchProgress:
    """Merge finished searches of consecutive ranges; equal to one search of them all, but `seconds` add up.

    Of equal activations, the earlier image wins, as in one search.
    """
    # In the order of the stream, so that ties go to the earlier image as in one search.
    lists, distributions = parts[0].lists, {}
    for part in parts[1:]:
        lists = {layer: merge(lists[layer], part.lists[layer]) for layer in lists}
    for layer in lists:
        distributions[layer] = join_distributions([part.distributions[layer] for part in parts])
    return SearchProgress(
        jax.device_get(lists),
        jax.device_get(distributions),
        np.concatenate([part.sampled for part in parts]),
        parts[-1].position,
        sum(part.images for part in parts),
        sum(part.seconds for part in parts),
        tuple(name for part in parts for name in part.skipped),
    )


class SearchFile:
    """The checkpoint file of a search, written atomically."""

    def __init__(self, path: Path, identity: str, settings: TopPatchesSettings):
        """Refer to the file `path`; `identity` describes the network and the data of the search."""
        self.path, self.identity, self.settings = path, identity, dataclasses.asdict(settings)

    def save(self, progress: SearchProgress) -> None:
        """Replace the file."""
        arrays = {"sampled": progress.sampled}
        for layer in progress.lists:
            for part in (progress.lists[layer], progress.distributions[layer]):
                named = part._asdict().items()
                arrays |= {_key(layer, type(part), field): np.asarray(array) for field, array in named}
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
            layers = self.settings["layers"]
            return SearchProgress(
                {layer: _part(arrays, layer, Strongest) for layer in layers},
                {layer: _part(arrays, layer, Maxima) for layer in layers},
                arrays["sampled"],
                int(saved["position"]),
                int(saved["images"]),
                float(saved["seconds"]),
                tuple(json.loads(saved["skipped"])),
            )
        except KeyError as error:
            raise UserError(f"{self.path}: is not the checkpoint of a search: {error} is missing") from error


def _key(layer: str, kind: type, field: str) -> str:
    return f"{layer}.{kind.__name__.lower()}.{field}"


def _part(arrays: Mapping[str, np.ndarray], layer: str, kind: Any) -> Any:
    """Return the `kind` of a layer, a tuple of arrays; copies, because programs donate them."""
    return kind(*(jnp.array(arrays[_key(layer, kind, field)]) for field in kind._fields))
