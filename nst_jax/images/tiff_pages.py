"""Which page of a TIFF is the picture; DNG and most raw files of cameras are TIFFs as well.

The first page is often a thumbnail, and the picture a page further on or a sub-page of the first.
"""

import dataclasses
import itertools
from io import BufferedReader, BytesIO
from typing import Any, Literal

from absl import logging

_SIGNATURES = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_OFFSET_FIELD = {"*": slice(4, 8), "+": slice(8, 16)}  # of the first page, in TIFF and BigTIFF
_MOST_PAGES = 10_000  # damaged files can chain pages without end

# Tags and their values
SUBFILE_TYPE, PHOTOMETRIC, SUB_PAGES = 254, 262, 330
_REDUCED, _MASK = 1, 4  # bits of the subfile type
MIN_IS_WHITE, MIN_IS_BLACK, RGB, PALETTE, CMYK, YCBCR, CIELAB = 0, 1, 2, 3, 5, 6, 8
_COLOURS = (MIN_IS_WHITE, MIN_IS_BLACK, RGB, PALETTE, CMYK, YCBCR, CIELAB)
_RAW = {32803: "sensor data", 34892: "linear sensor data"}  # colour spaces of DNG


class NoPageError(LookupError):
    """A file has no picture, or not the frame or page that was asked for; the message says what it has."""


@dataclasses.dataclass(frozen=True)
class TiffPage:
    """A page of an open TIFF: `tags` maps numbers to values, and `page` is that of tifffile."""

    page: Any
    number: int  # from 1, sub-pages after their page

    def tag(self, number: int, default: Any = None) -> Any:
        """Return the value of a tag."""
        return self.page.tags.valueof(number, default)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        return self.page.imagewidth, self.page.imagelength

    @property
    def pixels(self) -> int:
        """Width times height."""
        return self.page.imagewidth * self.page.imagelength

    @property
    def photometric(self) -> int:
        """The colour space."""
        return self.tag(PHOTOMETRIC, MIN_IS_WHITE)  # the default of Pillow

    @property
    def is_picture(self) -> bool:
        """Whether it has pixels in a colour space for viewing, and is not a transparency mask."""
        is_mask = self.tag(SUBFILE_TYPE, 0) & _MASK
        return (
            self.photometric in _COLOURS and self.pixels > 0 and bool(self.page.dataoffsets) and not is_mask
        )

    @property
    def is_raw(self) -> bool:
        """Whether it holds what a sensor measured."""
        return self.photometric in _RAW

    @property
    def is_reduced(self) -> bool:
        """Whether the file says that it is a smaller version of another page."""
        return bool(self.tag(SUBFILE_TYPE, 0) & _REDUCED)


def is_tiff(file: BufferedReader | BytesIO) -> bool:
    """Whether the file starts like a TIFF."""
    signature = file.read(4)
    file.seek(0)
    return signature in _SIGNATURES


def chosen_page(pages: list[TiffPage], number: int | None, source: str, say: bool) -> TiffPage:
    """Return page `number`, or by default the largest one that is a picture; `say` mentions other choices.

    Raises:
        NoPageError: there is no such page, or none is a picture.
    """
    if number is not None:
        if not 1 <= number <= len(pages):
            raise no_page(number, len(pages))
        return pages[number - 1]
    pictures = [page for page in pages if page.is_picture]
    raw = max((page for page in pages if page.is_raw), key=lambda page: page.pixels, default=None)
    if not pictures:
        what = f"only {_RAW[raw.photometric]}" if raw else "no page with pixels"
        raise NoPageError(f"it has {what}; export it as a TIFF, PNG or JPEG")
    largest = max(pictures, key=lambda page: page.pixels)
    if say and raw and raw.pixels > largest.pixels:
        logging.warning(
            "%s: using its preview of %d x %d pixels; export the raw picture of %d x %d from a raw converter",
            *(source, *largest.size, *raw.size),
        )
    elif say and sum(not page.is_reduced for page in pictures) > 1:
        logging.warning(
            "%s: using page %d of %d, the largest; %s#N is page N", source, largest.number, len(pages), source
        )
    return largest


def no_page(number: int, count: int) -> NoPageError:
    """The error for a page or frame that a file lacks."""
    return NoPageError(f"there is no {number} among its {count} frames or pages, numbered from 1")


def tiff_pages(tiff: Any) -> list[TiffPage]:
    """Return the pages of a `tifffile.TiffFile`, each followed by its sub-pages."""
    found = []
    for page in itertools.islice(tiff.pages, _MOST_PAGES):
        found += [page, *(page.pages if page.tags.valueof(SUB_PAGES) else ())]
    return [TiffPage(page, number) for number, page in enumerate(found, start=1)]


def starting_at(file: BufferedReader | BytesIO, page: TiffPage) -> BufferedReader | BytesIO:
    """Return the file with `page` as its first page: Pillow cannot open sub-pages otherwise."""
    file.seek(0)
    head = bytearray(file.read(16))
    order: Literal["little", "big"] = "little" if head.startswith(b"II") else "big"
    field = _OFFSET_FIELD["*" if b"*" in head[2:4] else "+"]
    if int.from_bytes(head[field], order) == page.page.offset:
        file.seek(0)
        return file
    head[field] = page.page.offset.to_bytes(field.stop - field.start, order)
    return BytesIO(bytes(head) + file.read())
