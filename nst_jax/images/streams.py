"""Streams of network inputs: pictures in a fixed order, decoded by threads and grouped in batches.

Inputs are square: the picture is resized so that its shorter side fits, and the centre is cropped (Zeiler &
Fergus 2013, section 3). A `Frame` maps coordinates of the input back to the picture.
"""

import dataclasses
import math
import os
from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import UInt8

from nst_jax.errors import UserError
from nst_jax.images import sources
from nst_jax.images.decoding_ahead import decoding
from nst_jax.images.reading import UnreadableError, opened, quieten_pillow
from nst_jax.images.squares import centre_square, reduced_rgb, upright_rgb

Box = tuple[int, int, int, int]  # x0, y0, x1, y1 in pixels, the last two exclusive


@dataclasses.dataclass(frozen=True)
class Frame:
    """Where a network input comes from.

    `index` is the position in the stream. Unreadable files count too, so an index refers to the same picture
    in every pass: `Stream.source(index)` returns it, and `Stream.batches(..., start=index + 1)` continues
    after it. `width` and `height` are the size of the upright picture. In its pixels, (`left`, `top`) is the
    input's upper left corner, and one pixel of the input spans `scale` pixels.
    """

    index: int
    name: str
    width: int
    height: int
    scale: float
    left: float
    top: float

    def to_source(self, box: Box) -> Box:
        """The smallest box of source pixels that covers `box` (in input pixels), clipped to the picture."""
        x0, y0, x1, y1 = box
        # If an edge is on a pixel boundary up to rounding errors, leave out the next pixel.
        edge = 1e-6
        return (
            max(0, math.floor(self.left + x0 * self.scale + edge)),
            max(0, math.floor(self.top + y0 * self.scale + edge)),
            min(self.width, math.ceil(self.left + x1 * self.scale - edge)),
            min(self.height, math.ceil(self.top + y1 * self.scale - edge)),
        )


Input = tuple[UInt8[np.ndarray, "s s 3"], Frame]


@dataclasses.dataclass(frozen=True)
class Batch:
    """Inputs as sRGB bytes, padded with rows of zeros beyond `frames` so that all batches have one shape."""

    pixels: UInt8[np.ndarray, "b s s 3"]
    frames: tuple[Frame, ...]


class Stream:
    """The pictures of the source `spec` (see `sources.CHOICES`), as squares of `size` pixels.

    They come in the order of the source, or with `shuffle` in a random order that depends on `seed`. Only the
    first `limit` are used; 0 means all. Unreadable files are skipped and listed in `skipped`.
    """

    def __init__(
        self,
        spec: str,
        size: int,
        limit: int = 0,
        shuffle: bool = False,
        seed: int = 0,
        workers: int | None = None,
        source: sources.Source | None = None,
    ) -> None:
        """List the pictures without opening them; `workers` threads decode, by default one per core.

        `source` replaces the one that `spec` names.

        Raises:
            UserError: the source does not exist or is empty.
        """
        self._spec, self._size = spec, size
        self._source = source or sources.find(spec)
        self._workers = workers or os.cpu_count() or 1
        count = self._source.count
        order = np.random.default_rng(seed).permutation(count) if shuffle else np.arange(count)
        self._order: list[int] = order[: limit or None].tolist()
        self._unreadable: dict[int, str] = {}

    def __len__(self) -> int:
        return len(self._order)

    @property
    def skipped(self) -> list[str]:
        """The files that could not be read so far, each with the reason, in stream order."""
        return [self._unreadable[index] for index in sorted(self._unreadable)]

    def batches(self, batch: int, start: int = 0, end: int | None = None) -> Iterator[Batch]:
        """Yield batches of the pictures from position `start` to `end`, while threads decode the next ones.

        To resume a pass, start at the index of its last frame + 1.

        Raises:
            UserError: no picture of the whole stream can be read; raised when the first batch is requested.
        """
        inputs: list[Input] = []
        indices = range(start, len(self) if end is None else end)
        # In a part of the stream, a range without a readable picture is no fault of the data.
        any_read = len(indices) < len(self)
        # Enough for the next batch, and for every thread to have something to do.
        for image in self._inputs(indices, ahead=2 * max(batch, self._workers)):
            inputs.append(image)
            if len(inputs) == batch:
                yield _batch(inputs, batch)
                any_read, inputs = True, []
        if inputs:
            yield _batch(inputs, batch)
        elif not any_read:
            raise self._none_readable()

    def require_readable(self) -> None:
        """Check that a picture can be read, by decoding them one by one up to the first that can.

        Raises:
            UserError: none can.
        """
        if next(self._inputs(range(len(self)), ahead=0), None) is None:
            raise self._none_readable()

    def name(self, index: int) -> str:
        """The name of the picture at position `index`."""
        return self._source.name(self._order[index])

    def label(self, index: int) -> str | None:
        """The class of the picture at position `index`: its folder or its TFDS label; None if it has none."""
        return self._source.label(self._order[index])

    def source(self, index: int) -> UInt8[np.ndarray, "h w 3"]:
        """The whole picture at position `index`, upright.

        Raises:
            UserError: the picture cannot be read.
        """
        quieten_pillow()
        name = self.name(index)
        with self._source.open(self._order[index]) as file, opened(file, name) as picture:
            return upright_rgb(picture, name)

    def contents(self, index: int) -> bytes:
        """The bytes of the picture's file.

        Raises:
            UserError: the file cannot be read.
        """
        with self._source.open(self._order[index]) as file:
            return file.read()

    def input(self, index: int) -> Input:
        """The network input for position `index`, identical to the one in `batches`.

        Raises:
            UserError: the picture cannot be read.
        """
        quieten_pillow()
        return self._decode(index)

    def inputs(self, indices: Sequence[int]) -> Iterator[Input]:
        """Yield the network inputs for `indices`, in this order, while threads decode the next ones.

        Raises:
            UserError: a picture cannot be read.
        """
        quieten_pillow()
        with decoding(self._decode, indices, self._workers, ahead=2 * self._workers) as futures:
            yield from (future.result() for future in futures)

    def reduced(self, indices: Sequence[int], longer_side: int) -> Iterator[UInt8[np.ndarray, "h w 3"]]:
        """Yield whole pictures, upright and reduced to `longer_side` pixels; otherwise as `inputs`."""

        def decode(index: int) -> UInt8[np.ndarray, "h w 3"]:
            name = self.name(index)
            with self._source.open(self._order[index]) as file, opened(file, name) as picture:
                return reduced_rgb(picture, longer_side, name)

        quieten_pillow()
        with decoding(decode, indices, self._workers, ahead=2 * self._workers) as futures:
            yield from (future.result() for future in futures)

    def _none_readable(self) -> UserError:
        files = f"none of the {len(self)} files in {self._spec!r}"
        return UserError(f"data: {files} can be read; {self.skipped[0]}")

    def _decode(self, index: int) -> Input:
        name = self.name(index)
        with self._source.open(self._order[index]) as file, opened(file, name) as picture:
            square, width, height = centre_square(picture, self._size, name)
        side = min(width, height)
        scale, left, top = side / self._size, (width - side) / 2, (height - side) / 2
        return square, Frame(index, name, width, height, scale, left, top)

    def _inputs(self, indices: range, ahead: int) -> Iterator[Input]:
        """Yield the readable inputs, in order, while threads decode the next `ahead`."""
        quieten_pillow()
        with decoding(self._decode, indices, self._workers, ahead) as futures:
            for index, future in zip(indices, futures, strict=True):
                try:
                    image = future.result()
                except UnreadableError as error:
                    self._unreadable[index] = f"{self.name(index)}: {error.why}"
                else:
                    yield image


def _batch(inputs: Sequence[Input], rows: int) -> Batch:
    pixels = np.zeros((rows, *inputs[0][0].shape), np.uint8)
    # The rest stays 0: a last batch of another shape would compile the program again.
    for row, (image, _) in zip(pixels, inputs, strict=False):
        row[...] = image
    return Batch(pixels, tuple(frame for _, frame in inputs))
