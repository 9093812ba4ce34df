"""Pictures in and out of files.

The convention, everywhere in this package: a picture is a NumPy array of float32 in [0, 1], sRGB-encoded
RGB, in a batch of one: shape `1 h w 3` (NHWC). `read` makes one of any file.
"""

from nst_jax.images.reading import UnreadableError, read
from nst_jax.images.resizing import fit, fitted, resize
from nst_jax.images.samples import sample_names
from nst_jax.images.writing import write

__all__ = ["UnreadableError", "fit", "fitted", "read", "resize", "sample_names", "write"]
