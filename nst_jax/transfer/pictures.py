"""The pictures and masks that jobs need: each file is decoded once, and kept at the sizes that are needed."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32

from nst_jax import images
from nst_jax.config import Config
from nst_jax.devices.host_memory import free_host_bytes
from nst_jax.errors import UserError
from nst_jax.images.folders import FOLDER, folder_pictures
from nst_jax.images.region_masks import Mask, read_mask, resize_mask
from nst_jax.runs.progress import byte_count

BYTES_PER_PIXEL = 12  # three float32


class Picture(NamedTuple):
    """A picture as it is kept."""

    pixels: Float32[np.ndarray, "1 h w 3"]
    size: tuple[int, int]  # height and width of the file, which give the exact aspect ratio


class Pictures:
    """Reads the pictures of `configs`, and shares those that several of them need."""

    def __init__(self, configs: Iterable[Config]):
        """Note which sizes are needed; nothing is read yet."""
        self._longer_sides: dict[str, set[int]] = defaultdict(set)
        for config in configs:
            for source, side in _needed(config):
                self._longer_sides[source].add(side)
        self._fitted: dict[tuple[str, int], Picture] = {}
        self._resized: dict[tuple[str, int, int], np.ndarray] = {}
        self._masks: dict[tuple[str, tuple[int, int], int], Mask] = {}
        self._latest: tuple[tuple[str, int], Picture] | None = (
            None  # what was decoded last, and for which side
        )

    def fitted(self, source: str, longer_side: int) -> Picture:
        """Return the picture reduced to `longer_side` pixels, or as it is if it is smaller.

        Raises:
            UserError: the file cannot be read, or its pixels do not fit into memory.
        """
        if (source, longer_side) not in self._fitted:
            pixels, size = self._read(source, longer_side)
            # All sizes at once: the decoded picture is freed before the next one.
            for side in {*self._longer_sides[source], longer_side}:
                kept = images.resize(pixels, *images.fitted(size, side)) if side < max(size) else pixels
                self._fitted[source, side] = Picture(kept, size)
        return self._fitted[source, longer_side]

    def resized(self, source: str, height: int, width: int) -> Float32[np.ndarray, "1 {height} {width} 3"]:
        """Return the picture resized to `height` x `width` pixels.

        Raises:
            UserError: as for `fitted`.
        """
        key = source, height, width
        if key not in self._resized:
            self._resized[key] = images.resize(self._read(source, max(height, width)).pixels, height, width)
        return self._resized[key]

    def mask(self, source: str, size: tuple[int, int], longer_side: int) -> Mask:
        """Return the mask of a picture of `size`, height and width, reduced to `longer_side` pixels.

        Raises:
            UserError: see `read_mask`.
        """
        key = source, size, longer_side
        if key not in self._masks:
            mask = read_mask(source, size)
            if longer_side < max(mask.shape):
                mask = resize_mask(mask, *images.fitted(mask.shape, longer_side))
            self._masks[key] = mask
        return self._masks[key]

    def require_memory(self) -> None:
        """Check from the headers of the files that the pictures fit into the free memory.

        Raises:
            UserError: they do not.
        """
        pixels = {source: _measured(images.pixel_count, source) for source in self._longer_sides}
        kept = sum(
            min(pixels[source], side**2) for source, sides in self._longer_sides.items() for side in sides
        )
        decoding = (
            _measured(images.decoding_bytes, source, max(sides))
            for source, sides in self._longer_sides.items()
        )
        needed = BYTES_PER_PIXEL * kept + max(decoding, default=0)
        if needed > (free := free_host_bytes()):
            raise UserError(
                f"size: {len(pixels)} pictures need {byte_count(needed)} of memory, but only "
                f"{byte_count(free)} are free; use a smaller size, or smaller or fewer pictures"
            )

    def _read(self, source: str, longer_side: int) -> Picture:
        """Decode a file, unless it is the latest; a very large one only as far as its sizes need."""
        key = source, max(longer_side, *self._longer_sides[source], 0)
        if self._latest is None or self._latest[0] != key:
            self._latest = None  # free it before the next one is decoded
            self._latest = key, Picture(*images.read_reduced(*key))
        return self._latest[1]


def picture_sources(source: str) -> list[str]:
    """Return the pictures that the `image` of a style names: itself, or those of a folder by name.

    Raises:
        UserError: the folder cannot be read, or has no pictures.
    """
    if not source.startswith(FOLDER):
        return [source]
    folder, paths = folder_pictures(source)
    return [str(folder / path) for path in paths]


def _needed(config: Config) -> Iterator[tuple[str, int]]:
    """Yield each picture that a run needs, and its longer side."""
    yield config.content, config.size
    if config.starts_from_file():
        yield config.init, config.size
    for style in config.active_styles().values():
        try:
            sources = picture_sources(style.image)
        except UserError:
            continue  # reading it will say what is wrong, and for which field
        for source in sources:
            yield source, config.style_size(style)


def _measured(measure: Callable[..., int], source: str, *arguments: int) -> int:
    try:
        return measure(source, *arguments)
    except UserError:
        return 0  # reading it will say what is wrong, and for which field
