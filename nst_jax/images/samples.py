"""The bundled pictures: photographs to paint, and paintings to paint them like."""

import functools
import os
from importlib import resources
from pathlib import Path

from nst_jax.errors import unknown

SAMPLE_PREFIX = "sample:"
# The colour photographs inside scikit-image's wheel; others, which it would download, are not offered.
PHOTOS = (
    *("astronaut", "chelsea", "coffee", "hubble_deep_field", "ihc"),
    *("motorcycle_left", "motorcycle_right", "retina", "rocket"),
)


def sample_names() -> tuple[str, ...]:
    """What `read` takes after `sample:`: photographs to paint, and paintings to paint them like."""
    return tuple(sorted(_samples()))


@functools.cache
def _samples() -> dict[str, Path]:
    """Photographs in scikit-image's wheel; paintings, by scripts/paint_samples.py, in ours."""
    photos = Path(str(resources.files("skimage.data")))
    paintings = Path(str(resources.files("nst_jax.images") / "samples"))
    paths = [path for name in PHOTOS for path in photos.glob(f"{name}.*")]
    return {path.stem: path for path in [*paths, *paintings.glob("*.jpg")]}


def locate(source: str) -> Path:
    """The file behind a path or `sample:NAME`."""
    if not source.startswith(SAMPLE_PREFIX):
        return Path(os.path.expanduser(source))
    name = source.removeprefix(SAMPLE_PREFIX)
    if name in _samples():
        return _samples()[name]
    raise unknown("sample picture", source, [SAMPLE_PREFIX + name for name in sample_names()])
