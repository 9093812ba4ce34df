"""Samples of TIFF pages that Pillow refuses, or reads at 8 bits or at wrong levels.

These are all pages with more than 8 bits per sample, signed or float samples, or with a stated white level.
"""

import math
import struct
from io import BufferedReader, BytesIO

import numpy as np
from jaxtyping import Shaped
from PIL import Image

from nst_jax.images.tiff_pages import YCBCR, TiffPage

# Tags and their values
BITS, SAMPLES_PER_PIXEL, SAMPLE_FORMAT = 258, 277, 339
_COMPRESSION, _ROWS_PER_STRIP, _PLANAR, _PREDICTOR, _MAX_VALUE, _S_MAX_VALUE = 259, 278, 284, 317, 281, 341
_TILE_WIDTH, _TILE_HEIGHT = 322, 323
_UNCOMPRESSED = 1
_LOSSLESS = (5, 8, 32946, 32773, 34925, 50000)  # LZW, Deflate (twice), PackBits, LZMA, Zstandard
_SEPARATE_PLANES = 2
_HORIZONTAL, _FLOATING_POINT = 2, 3  # predictors
_KINDS = {1: "u", 2: "i", 3: "f", 4: "u"}  # sample formats; the last means undefined


def is_plain(page: TiffPage) -> bool:
    """Whether the samples are unsigned, of 8 bits or fewer, and use all of them: Pillow reads such pages."""
    bits, white = sample_bits(page), stated_maximum(page)
    return bits <= 8 and sample_kind(page) == "u" and (white is None or 2 * white >= 2**bits)


def sample_bits(page: TiffPage) -> int:
    """Return the bits per sample, the largest if they differ."""
    return max(_several(page.tag(BITS, 1)))


def sample_kind(page: TiffPage) -> str:
    """Return NumPy's letter for the kind of samples: u, i or f."""
    formats = set(_several(page.tag(SAMPLE_FORMAT, 1)))
    if len(formats) > 1 or not formats <= set(_KINDS):
        raise NotImplementedError(f"samples of format {sorted(formats)} are not supported")
    return _KINDS[formats.pop()]


def stated_maximum(page: TiffPage) -> float | None:
    """Return the largest sample as the file states it, or None."""
    stated = page.tag(_S_MAX_VALUE, page.tag(_MAX_VALUE))
    return None if stated is None else float(max(_several(stated)))


def read_samples(file: BufferedReader | BytesIO, page: TiffPage) -> Shaped[np.ndarray, "h w c"]:
    """Decode a page; the samples are as stored, in the byte order of this machine.

    Raises:
        ValueError: the data are truncated.
        NotImplementedError: they are in an unsupported form.
    """
    if page.tag(_COMPRESSION, _UNCOMPRESSED) not in (_UNCOMPRESSED, *_LOSSLESS):
        return _read_with_imagecodecs(page)
    channels, (width, height) = page.tag(SAMPLES_PER_PIXEL, 1), page.size
    if page.photometric == YCBCR:
        raise NotImplementedError("YCbCr with more than 8 bits is not supported")
    planes = channels if page.tag(_PLANAR) == _SEPARATE_PLANES else 1
    block_width = page.tag(_TILE_WIDTH, width)
    block_height = page.tag(_TILE_HEIGHT, min(page.tag(_ROWS_PER_STRIP, height), height))
    down, across = math.ceil(height / block_height), math.ceil(width / block_width)
    is_tiled = page.tag(_TILE_WIDTH) is not None
    offsets, counts = page.page.dataoffsets, page.page.databytecounts
    if len(offsets) < planes * down * across or len(counts) < len(offsets):
        raise ValueError("strips or tiles are missing")
    # Tiles at the right and the bottom are whole in the file, and cut off here.
    result = np.zeros((height, width, channels), _dtype(page))
    for index in range(planes * down * across):
        plane, (row, column) = index // (down * across), divmod(index % (down * across), across)
        top, left = row * block_height, column * block_width
        rows = block_height if is_tiled else min(block_height, height - top)
        file.seek(offsets[index])
        block = _block(page, file.read(counts[index]), rows, block_width, channels // planes)
        place = result[top : top + rows, left : left + block_width]
        place = place if planes == 1 else place[..., plane : plane + 1]
        place[...] = block[: place.shape[0], : place.shape[1]]
    return result


def _block(
    page: TiffPage, data: bytes, rows: int, width: int, channels: int
) -> Shaped[np.ndarray, "{rows} {width} {channels}"]:
    """Decode one strip or tile."""
    bits, dtype = sample_bits(page), _dtype(page)
    row_bytes = math.ceil(width * channels * bits / 8)
    compression, predictor = page.tag(_COMPRESSION, _UNCOMPRESSED), page.tag(_PREDICTOR, 1)
    if compression != _UNCOMPRESSED:
        data = _decompressed(data, compression, rows, row_bytes)
    packed = np.frombuffer(data, np.uint8, rows * row_bytes).reshape(rows, row_bytes)
    if predictor == _FLOATING_POINT and dtype.kind == "f":
        return _undo_float_differences(packed, channels, dtype).reshape(rows, width, channels)
    if bits == 8 * dtype.itemsize:
        values = packed.view(dtype.newbyteorder(page.page.parent.byteorder)).astype(dtype)
    else:
        values = _unpacked(packed, bits, width * channels).astype(dtype)
    block = values.reshape(rows, width, channels)
    return np.cumsum(block, axis=1, dtype=dtype) if predictor == _HORIZONTAL else block


def _decompressed(data: bytes, compression: int, rows: int, row_bytes: int) -> bytes:
    """Decompress with libtiff, which Pillow contains, as if the data were a gray picture of 8 bits."""
    # Width, height, bits, compression, colour space, offset, samples, and rows of the only strip.
    tags = {256: row_bytes, 257: rows, 258: 8, 259: compression, 262: 1, 273: 8, 277: 1, 278: rows}
    entries = [struct.pack("<HHII", tag, 4, 1, value) for tag, value in {**tags, 279: len(data)}.items()]
    directory = struct.pack("<H", len(entries)) + b"".join(entries) + bytes(4)
    file = BytesIO(struct.pack("<4sI", b"II*\0", 8 + len(data)) + data + directory)
    with Image.open(file, formats=["TIFF"]) as picture:
        return picture.tobytes()


def _undo_float_differences(
    packed: Shaped[np.ndarray, "h b"], channels: int, dtype: np.dtype
) -> Shaped[np.ndarray, "h n"]:
    """Undo the predictor for floats: differences of bytes, and each row's bytes sorted by significance."""
    rows = len(packed)
    summed = np.cumsum(packed.reshape(rows, -1, channels), axis=1, dtype=np.uint8)
    by_value = summed.reshape(rows, dtype.itemsize, -1).swapaxes(1, 2)
    return np.ascontiguousarray(by_value).reshape(rows, -1).view(dtype.newbyteorder(">")).astype(dtype)


def _unpacked(packed: Shaped[np.ndarray, "h b"], bits: int, count: int) -> Shaped[np.ndarray, "h n"]:
    """Unpack integers of any number of bits, most significant bit first; each row starts at a new byte."""
    powers = 2 ** np.arange(bits - 1, -1, -1, dtype=np.uint32)
    result = np.empty((len(packed), count), np.uint32)
    for row, line in zip(result, packed, strict=True):  # row by row: eight bytes per byte
        row[...] = np.unpackbits(line)[: count * bits].reshape(count, bits) @ powers
    return result


def _dtype(page: TiffPage) -> np.dtype:
    """The smallest type that holds a sample."""
    bits, kind = sample_bits(page), sample_kind(page)
    size = next((size for size in (1, 2, 4, 8) if bits <= 8 * size), 0)
    if not size or (kind != "u" and bits != 8 * size) or (kind == "f" and size == 1) or 32 < bits < 64:
        raise NotImplementedError(f"samples of {bits} bits are not supported")
    return np.dtype(f"{kind}{size}")


def _read_with_imagecodecs(page: TiffPage) -> Shaped[np.ndarray, "h w c"]:
    """Decode with the codecs of the optional package imagecodecs."""
    try:
        samples = page.page.asarray()
    except ValueError as error:
        raise NotImplementedError(
            f"its compression requires a package (pip install imagecodecs): {error}"
        ) from error
    if page.tag(_PLANAR) == _SEPARATE_PLANES and page.tag(SAMPLES_PER_PIXEL, 1) > 1:
        samples = np.moveaxis(samples, 0, -1)
    return samples.reshape(*reversed(page.size), -1)


def _several(value: object) -> tuple:
    return value if isinstance(value, tuple) else (value,)
