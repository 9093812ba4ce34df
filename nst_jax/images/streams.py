"""Streams of pictures for a network to see: listed in a fixed order, decoded by threads, in batches.

The network sees a square: the picture's shorter side is brought to the square's side, and the middle is
cut out (Zeiler & Fergus 2013, section 3). A `Frame` leads from there back to the picture.
"""

import dataclasses
import math
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
from jaxtyping import UInt8
from PIL import ExifTags, Image, ImageOps
from PIL.Image import Transpose

from nst_jax.errors import UserError
from nst_jax.images import sources
from nst_jax.images.modes import to_rgb
from nst_jax.images.reading import UnreadableError, opened, quieten_pillow

Box = tuple[int, int, int, int]  # x0, y0, x1, y1 in pixels, the last two exclusive

# A JPEG is decoded at 1/2, 1/4 or 1/8 of its size where that leaves this many pixels for one of the
# input: several times faster, and little is lost.
DRAFT_GAP = 2

# What makes a picture of an EXIF orientation upright.
_TURNS = {
    2: Transpose.FLIP_LEFT_RIGHT,
    3: Transpose.ROTATE_180,
    4: Transpose.FLIP_TOP_BOTTOM,
    5: Transpose.TRANSPOSE,
    6: Transpose.ROTATE_270,
    7: Transpose.TRANSVERSE,
    8: Transpose.ROTATE_90,
}
_SIDEWAYS = (5, 6, 7, 8)


@dataclasses.dataclass(frozen=True)
class Frame:
    """How one picture became network input.

    `index` is its position in the stream, unreadable files counted too, so that it names the same
    picture in every pass, resumed ones included: `source(index)` finds it, `batches(..., start=index + 1)`
    goes on after it. `width` and `height` are those of the upright picture; `left` and `top`, in its
    pixels, are the input's upper left corner; a pixel of the input is `scale` of the picture's.
    """

    index: int
    name: str
    width: int
    height: int
    scale: float
    left: float
    top: float

    def to_source(self, box: Box) -> Box:
        """The least box of whole source pixels that covers `box`, in the input's; clipped to the picture."""
        x0, y0, x1, y1 = box
        # Where an edge falls on a whole pixel, but for rounding, the next pixel is not part of the box.
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
    """Inputs, sRGB bytes; rows beyond `frames` are zeros, so that all batches have one shape."""

    pixels: UInt8[np.ndarray, "b s s 3"]
    frames: tuple[Frame, ...]


class Stream:
    """The pictures that `spec` names (sources.CHOICES), as squares of `size` pixels.

    With `shuffle` in an order that `seed` sets, else in the source's; of these the first `limit`, or all
    for 0. Files that cannot be read are left out and named in `skipped`.
    """

    def __init__(
        self,
        spec: str,
        size: int,
        limit: int = 0,
        shuffle: bool = False,
        seed: int = 0,
        workers: int | None = None,
    ) -> None:
        """List the pictures; none is opened yet. `workers` threads decode, or one a core.

        Raises:
            UserError: there is no such source, or it holds nothing.
        """
        self._spec, self._size = spec, size
        self._source = sources.find(spec)
        self._workers = workers or os.cpu_count() or 1
        count = self._source.count
        order = np.random.default_rng(seed).permutation(count) if shuffle else np.arange(count)
        self._order: list[int] = order[: limit or None].tolist()
        self._unreadable: dict[int, str] = {}

    def __len__(self) -> int:
        return len(self._order)

    @property
    def skipped(self) -> list[str]:
        """What could not be read so far, each with the reason; in stream order, each once."""
        return [self._unreadable[index] for index in sorted(self._unreadable)]

    def batches(self, batch: int, start: int = 0) -> Iterator[Batch]:
        """Batches of the pictures from position `start` on; threads decode the next while one is used.

        A resumed pass starts at its last frame's index + 1.

        Raises:
            UserError: with the first batch: not one picture can be read.
        """
        inputs: list[Input] = []
        any_read = start > 0
        for image in self._inputs(start, ahead=2 * max(batch, self._workers)):
            inputs.append(image)
            if len(inputs) == batch:
                yield _batch(inputs, batch)
                any_read, inputs = True, []
        if inputs:
            yield _batch(inputs, batch)
        elif not any_read:
            count, first = len(self), self.skipped[0]
            raise UserError(f"data: no picture in {self._spec!r} can be read, of {count} files; {first}")

    def source(self, index: int) -> UInt8[np.ndarray, "h w 3"]:
        """The whole picture at a position, upright.

        Raises:
            UserError: it cannot be read.
        """
        quieten_pillow()
        name = self._name(index)
        with self._source.open(self._order[index]) as file, opened(file, name) as picture:
            return np.asarray(to_rgb(ImageOps.exif_transpose(picture), name))

    def input(self, index: int) -> Input:
        """The network input of the picture at a position, exactly as in `batches`.

        Raises:
            UserError: it cannot be read.
        """
        quieten_pillow()
        return self._decode(index)

    def _name(self, index: int) -> str:
        return self._source.name(self._order[index])

    def _decode(self, index: int) -> Input:
        name = self._name(index)
        with self._source.open(self._order[index]) as file, opened(file, name) as picture:
            square, width, height = _middle(picture, self._size, name)
        side = min(width, height)
        scale, left, top = side / self._size, (width - side) / 2, (height - side) / 2
        return np.asarray(square), Frame(index, name, width, height, scale, left, top)

    def _inputs(self, start: int, ahead: int) -> Iterator[Input]:
        """What can be read from `start` on, in order, while threads decode the next `ahead`."""
        quieten_pillow()
        pool = ThreadPoolExecutor(self._workers, "decode")
        try:
            futures = _begun(pool, self._decode, range(start, len(self)), ahead)
            for index, future in enumerate(futures, start):
                try:
                    image = future.result()
                except UnreadableError as error:
                    self._unreadable[index] = f"{self._name(index)}: {error.why}"
                else:
                    yield image
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _begun(
    pool: ThreadPoolExecutor, function: Callable[[int], Input], items: Iterable[int], ahead: int
) -> Iterator[Future[Input]]:
    """The futures of `function(item)` in order, each given out when `ahead` more have been begun."""
    begun: deque[Future[Input]] = deque()
    for item in items:
        begun.append(pool.submit(function, item))
        if len(begun) > ahead:
            yield begun.popleft()
    yield from begun


def _batch(inputs: Sequence[Input], rows: int) -> Batch:
    pixels = np.zeros((rows, *inputs[0][0].shape), np.uint8)
    for row, (image, _) in zip(pixels, inputs, strict=False):
        row[...] = image
    return Batch(pixels, tuple(frame for _, frame in inputs))


def _middle(picture: Image.Image, size: int, name: str) -> tuple[Image.Image, int, int]:
    """The middle square of a picture, upright, `size` pixels a side; the picture's width and height."""
    stored = picture.size
    drafted = picture.draft(None, (DRAFT_GAP * size, DRAFT_GAP * size))
    picture.load()  # A TIFF file turns itself here; a PNG file may have its EXIF behind the pixels.
    width, height = stored if drafted else picture.size
    extent = drafted[1][2:] if drafted else picture.size  # may end within the last row and column
    side = min(extent)
    left, top = (extent[0] - side) / 2, (extent[1] - side) / 2
    square = to_rgb(picture, name).resize(
        (size, size), Image.Resampling.BICUBIC, box=(left, top, left + side, top + side)
    )
    # Turned last, as the middle stays the middle and there are fewer pixels to turn.
    orientation = picture.getexif().get(ExifTags.Base.Orientation)
    if orientation in _TURNS:
        square = square.transpose(_TURNS[orientation])
    if orientation in _SIDEWAYS:
        width, height = height, width
    return square, width, height
