"""The picture to compare a result with: the photo it was painted from."""

import functools
import io
from pathlib import Path

from PIL import Image

from nst_jax import images
from nst_jax.config import from_dict
from nst_jax.errors import UserError
from nst_jax.images.writing import to_bytes
from nst_jax.runs.folder import read_settings


def before_picture(folder: Path) -> bytes | None:
    """Return the content of the run in `folder` as a PNG, at the size of the result.

    If it cannot be read, because the run was made elsewhere, return the first snapshot, if there is one.
    """
    try:
        config = from_dict(read_settings(folder))
        return _content(config.content, config.size)
    except UserError:
        snapshots = sorted((folder / "progress").glob("*.png"))
        return snapshots[0].read_bytes() if snapshots else None


@functools.lru_cache(maxsize=1)
def _content(source: str, size: int) -> bytes:
    content = io.BytesIO()
    pixels, whole = images.read_reduced(source, size)
    picture = images.resize(pixels, *images.fitted(whole, size))
    Image.fromarray(to_bytes(picture[0])).save(content, format="PNG")
    return content.getvalue()
