"""TIFFs as Pillow pictures where Pillow reads them right, and as samples where it does not."""

import contextlib
import dataclasses
import logging
import math
from collections.abc import Iterator
from io import BufferedReader, BytesIO

import numpy as np
from jaxtyping import Shaped
from PIL import Image, UnidentifiedImageError

from nst_jax.images.orientation import ORIENTATION_TAG
from nst_jax.images.tiff_pages import (
    CIELAB,
    CMYK,
    MIN_IS_BLACK,
    MIN_IS_WHITE,
    RGB,
    TiffPage,
    chosen_page,
    starting_at,
    tiff_pages,
)
from nst_jax.images.tiff_samples import (
    SAMPLES_PER_PIXEL,
    is_plain,
    read_samples,
    sample_bits,
    stated_maximum,
)

_EXTRA_SAMPLES, _PROFILE = 338, 34675  # tags
_PREMULTIPLIED, _STRAIGHT = 1, 2  # alpha
_CHANNELS = {MIN_IS_WHITE: 1, MIN_IS_BLACK: 1, RGB: 3, CMYK: 4, CIELAB: 3}


@dataclasses.dataclass(frozen=True)
class Samples:
    """A gray or RGB picture as a file holds it, and what the file says of its levels."""

    colour: Shaped[np.ndarray, "h w c"]
    alpha: Shaped[np.ndarray, "h w 1"] | None = None
    white: float | None = None
    is_inverted: bool = False  # 0 is white
    is_premultiplied: bool = False
    profile: bytes = b""


@dataclasses.dataclass(frozen=True)
class DeepTiff:
    """A page that Pillow cannot read, or not at its levels."""

    file: BufferedReader | BytesIO
    page: TiffPage

    @property
    def size(self) -> tuple[int, int]:
        """Width and height as stored."""
        return self.page.size

    @property
    def bytes_per_pixel(self) -> int:
        """Of the samples, twice: rows are placed into the picture from decoded strips or tiles."""
        return 2 * math.ceil(sample_bits(self.page) / 8) * self.page.tag(SAMPLES_PER_PIXEL, 1)

    @property
    def orientation(self) -> int:
        """How it has to be turned, see `upright`."""
        return self.page.tag(ORIENTATION_TAG, 1)

    def decode(self) -> Samples | Image.Image:
        """Read the samples; CMYK and Lab become Pillow pictures of 8 bits.

        Raises:
            ValueError: the data are damaged.
            NotImplementedError: they are in an unsupported form.
        """
        page, space = self.page, self.page.photometric
        if space not in _CHANNELS:
            raise NotImplementedError(f"pages of colour space {space} with these samples are not supported")
        samples = read_samples(self.file, page)
        count, extra = _CHANNELS[space], page.tag(_EXTRA_SAMPLES, ())
        kind = (extra if isinstance(extra, tuple) else (extra,))[:1]
        has_alpha = samples.shape[-1] > count and kind in ((_PREMULTIPLIED,), (_STRAIGHT,))
        if samples.shape[-1] < count:
            raise ValueError(f"it has {samples.shape[-1]} samples per pixel, not {count}")
        if space in (CMYK, CIELAB):
            return _as_bytes(samples[..., :count], "CMYK" if space == CMYK else "LAB", self._profile)
        return Samples(
            samples[..., :count],
            samples[..., count : count + 1] if has_alpha else None,
            stated_maximum(page),
            space == MIN_IS_WHITE,
            kind == (_PREMULTIPLIED,),
            self._profile,
        )

    @property
    def _profile(self) -> bytes:
        return bytes(self.page.tag(_PROFILE, b""))


@contextlib.contextmanager
def opened_tiff(
    file: BufferedReader | BytesIO, source: str, number: int | None, say: bool
) -> Iterator[Image.Image | DeepTiff]:
    """Open page `number` of a TIFF, or by default the largest one; with `say`, other choices are mentioned.

    Raises:
        NoPageError: there is no such page, or none is a picture.
    """
    import tifffile

    logging.getLogger("tifffile").setLevel(logging.CRITICAL)  # it reports oddities of files
    with tifffile.TiffFile(file, name=source) as tiff:
        page = chosen_page(tiff_pages(tiff), number, source, say)
        plain = None
        if is_plain(page):
            with contextlib.suppress(UnidentifiedImageError):  # a layout that Pillow does not support
                plain = Image.open(starting_at(file, page), formats=["TIFF"])
        with plain or contextlib.nullcontext(DeepTiff(file, page)) as picture:
            yield picture


def _as_bytes(samples: np.ndarray, mode: str, profile: bytes) -> Image.Image:
    """A picture in the colour space `mode`, of the most significant 8 bits of each sample."""
    if samples.dtype.kind == "f":
        raise NotImplementedError(f"{mode} with float samples is not supported")
    shift = 8 * (samples.dtype.itemsize - 1)
    high = (samples >> shift).astype(np.uint8)
    if mode == "LAB":
        high[..., 1:] ^= 0x80  # signed in the file
    picture = Image.frombytes(mode, (high.shape[1], high.shape[0]), high.tobytes())
    picture.info["icc_profile"] = profile
    return picture
