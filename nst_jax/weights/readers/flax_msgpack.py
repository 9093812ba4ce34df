"""Flax's msgpack files: nested dictionaries of arrays, such as `params/conv1_1/kernel` (HWIO)."""

from pathlib import Path

import numpy as np

from nst_jax.files import open_regular
from nst_jax.weights.readers.contents import Contents, Skip, flattened, parsing

_MAX_BYTES = 1 << 30  # full VGG-19 takes 575 MB


def is_msgpack(head: bytes) -> bool:
    """Whether a file starting with `head` is a msgpack map whose first key is text."""
    # The codes of maps, by how many bytes their lengths take; then those of texts.
    after = {0xDE: 3, 0xDF: 5}.get(head[0], 1 if 0x81 <= head[0] <= 0x8F else 0) if head else 0
    return bool(after) and len(head) > after and (0xA1 <= head[after] <= 0xBF or head[after] == 0xD9)


def read(path: Path, skip: Skip) -> Contents:
    """Read every array except those to `skip`, by its path in the tree."""
    from flax.serialization import msgpack_restore  # takes a second to import

    with parsing(path, "msgpack file of Flax"):
        with open_regular(path) as file:
            data = file.read(_MAX_BYTES + 1)
        if len(data) > _MAX_BYTES:
            raise ValueError(f"it has more than {_MAX_BYTES} bytes")
        arrays = flattened(msgpack_restore(data), "/", np.ndarray)
        return Contents({name: array for name, array in arrays.items() if not skip(name)})
