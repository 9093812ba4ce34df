"""Writing pictures to files."""

import os
from collections.abc import Mapping

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from nst_jax import files
from nst_jax.images.deep import write_png16, write_tiff16


def write(
    path: str | os.PathLike[str],
    image: Float[np.ndarray, "1 h w 3"],
    text: Mapping[str, str] | None = None,
) -> None:
    """Write an 8-bit PNG atomically, with `text` in its text chunks; values are clipped to [0, 1].

    Raises:
        UserError: the file cannot be written.
    """
    info = PngInfo()
    for key, value in (text or {}).items():
        info.add_text(key, value)  # Pillow uses an iTXt chunk for text beyond Latin-1
    with files.atomic(path) as temporary:
        Image.fromarray(to_bytes(image[0])).save(temporary, format="PNG", pnginfo=info)


def to_bytes(image: Float[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "h w 3"]:
    """Convert [0, 1] to 0..255, rounded; values outside are clipped."""
    return np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8)


def write_deep(
    path: str | os.PathLike[str], image: Float[np.ndarray, "1 h w 3"], text: Mapping[str, str]
) -> None:
    """Write a 16-bit PNG, or a TIFF if `path` ends in `.tif` or `.tiff`, atomically, with an sRGB profile.

    Values are clipped to [0, 1]; `text` is stored as well.

    Raises:
        UserError: the file cannot be written.
    """
    write_as = write_tiff16 if os.fspath(path).lower().endswith((".tif", ".tiff")) else write_png16
    with files.atomic(path) as temporary:
        write_as(temporary, image[0], text)
