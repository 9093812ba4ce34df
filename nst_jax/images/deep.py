"""16-bit pictures with an sRGB profile, for print: Pillow writes 8 bits per colour only."""

import struct
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt16
from PIL import ImageCms
from PIL.PngImagePlugin import PngInfo

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_RGB16 = (16, 2, 0, 0, 0)  # bits, colour type, compression, filters, no interlacing
_UP = 2  # the filter that stores the difference from the row above
_STRIP_ROWS = 64  # compressed at a time


def write_png16(path: Path, image: Float[np.ndarray, "h w 3"], text: Mapping[str, str]) -> None:
    """Write a PNG with 16 bits per colour and `text` in its text chunks.

    The format is that of the W3C recommendation "Portable Network Graphics", third edition.
    """
    height, width = image.shape[:2]
    with path.open("wb") as file:
        file.write(_SIGNATURE)
        file.write(_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, *_RGB16)))
        file.write(_chunk(b"iCCP", b"sRGB\0\0" + zlib.compress(srgb_profile())))
        info = PngInfo()  # texts as Pillow would store them
        for key, value in text.items():
            info.add_text(key, value)
        for name, data, *_ in info.chunks:
            file.write(_chunk(name, data))
        for data in _compressed_rows(image):
            file.write(_chunk(b"IDAT", data))
        file.write(_chunk(b"IEND", b""))


def write_tiff16(path: Path, image: Float[np.ndarray, "h w 3"], text: Mapping[str, str]) -> None:
    """Write a TIFF with 16 bits per colour; `text` becomes its description, one `name: value` per line."""
    import tifffile

    tifffile.imwrite(
        path,
        to_uint16(image),
        photometric="rgb",
        compression="zlib",
        iccprofile=srgb_profile(),
        description="\n".join(f"{name}: {value}" for name, value in text.items()).encode(),
        metadata=None,
        software="nst_jax",
    )


def to_uint16(image: Float[np.ndarray, "h w 3"]) -> UInt16[np.ndarray, "h w 3"]:
    """Convert [0, 1] to 0..65535, rounded; values outside are clipped."""
    return np.rint(np.clip(image, 0, 1) * np.float64(65535)).astype(np.uint16)


def srgb_profile() -> bytes:
    """The ICC profile of sRGB."""
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def _compressed_rows(image: Float[np.ndarray, "h w 3"]) -> Iterator[bytes]:
    """Yield the compressed rows, each with its filter in front, in pieces."""
    packer = zlib.compressobj(6)
    # Six bytes per pixel; above the first row, the format assumes zeros.
    above = np.zeros((1, image.shape[1] * 6), np.uint8)
    for start in range(0, len(image), _STRIP_ROWS):
        strip = to_uint16(image[start : start + _STRIP_ROWS]).astype(">u2")
        rows = strip.reshape(len(strip), -1).view(np.uint8)
        differences = rows - np.concatenate([above, rows[:-1]])  # modulo 256, as the format asks
        above = rows[-1:]
        filtered = np.insert(differences, 0, _UP, axis=1)
        if data := packer.compress(filtered.tobytes()):
            yield data
    yield packer.flush()
