"""The memory that decoding a picture takes, from its header."""

from PIL import Image

from nst_jax.devices.host_memory import free_host_bytes
from nst_jax.images.tiff import DeepTiff

# Measured bytes per pixel, at the peaks of decoding and of the conversion to floats.
_OPAQUE_BYTES, _ALPHA_BYTES = (4, 28), (8, 64)
_BYTES_OF_RGB = 8  # of the conversion to 8-bit colours
_SMALL = 2**26  # bytes: not worth asking how much memory is free


def needed_to_decode(picture: Image.Image | DeepTiff, factor: int = 1, eight_bits: bool = False) -> int:
    """Return about how many bytes it takes to decode an opened picture and reduce its sides by `factor`.

    The result is floats, or 8-bit colours, which need less unless the picture has alpha or more bits.
    """
    pixels = picture.size[0] * picture.size[1]
    if isinstance(picture, DeepTiff):
        stored, converted = picture.bytes_per_pixel, _ALPHA_BYTES[1]
    elif picture.has_transparency_data:
        stored, converted = _ALPHA_BYTES
    else:
        stored, converted = (_OPAQUE_BYTES[0], _BYTES_OF_RGB) if eight_bits else _OPAQUE_BYTES
    return pixels * stored + pixels // factor**2 * converted


def lacks_memory(picture: Image.Image | DeepTiff, factor: int = 1, eight_bits: bool = False) -> str:
    """Return why an opened picture cannot be decoded in the free memory, or ''; see `needed_to_decode`."""
    needed = needed_to_decode(picture, factor, eight_bits)
    if needed <= _SMALL or needed <= (free := free_host_bytes()):
        return ""
    size = "{} x {}".format(*picture.size)
    return f"to decode its {size} pixels takes {needed / 2**30:.1f} GiB, but only {free / 2**30:.1f} are free"
