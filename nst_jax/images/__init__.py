"""Reading, resizing and writing pictures.

The convention throughout the package: a picture is a float32 NumPy array of shape `1 h w 3` (NHWC, a batch of
one) with sRGB-encoded values in [0, 1]. `read` returns one for any supported file.
"""

from nst_jax.images.reading import UnreadableError, decoding_bytes, pixel_count, read, read_reduced
from nst_jax.images.resizing import fit, fitted, resize
from nst_jax.images.samples import sample_names
from nst_jax.images.writing import write, write_deep

__all__ = [
    "UnreadableError",
    "decoding_bytes",
    "fit",
    "fitted",
    "pixel_count",
    "read",
    "read_reduced",
    "resize",
    "sample_names",
    "write",
    "write_deep",
]
