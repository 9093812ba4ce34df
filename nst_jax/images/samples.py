"""The bundled pictures: photographs for the content, paintings for the style, and masks of some of them."""

import functools
import os
from importlib import resources
from pathlib import Path

from nst_jax.errors import unknown

SAMPLE_PREFIX = "sample:"
# The colour photographs in scikit-image's wheel; those that it would have to download are left out.
PHOTOS = (
    *("astronaut", "chelsea", "coffee", "hubble_deep_field", "ihc"),
    *("motorcycle_left", "motorcycle_right", "retina", "rocket"),
)


def sample_names() -> tuple[str, ...]:
    """The names that `read` accepts after `sample:`, sorted."""
    return tuple(sorted(_samples()))


@functools.cache  # the folders do not change
def _samples() -> dict[str, Path]:
    """Paths by name: scikit-image's photographs, and what scripts/paint_samples.py and draw_masks.py made."""
    photos = Path(str(resources.files("skimage.data")))
    ours = Path(str(resources.files("nst_jax.images") / "samples"))
    paths = [path for name in PHOTOS for path in photos.glob(f"{name}.*")]
    return {path.stem: path for path in [*paths, *ours.glob("*.jpg"), *ours.glob("*.png")]}


def locate(source: str) -> Path:
    """The file that a path or `sample:NAME` refers to.

    Raises:
        UserError: there is no sample of that name.
    """
    if not source.startswith(SAMPLE_PREFIX):
        return Path(os.path.expanduser(source))
    name = source.removeprefix(SAMPLE_PREFIX)
    if name in _samples():
        return _samples()[name]
    raise unknown("sample picture", source, [SAMPLE_PREFIX + name for name in sample_names()])
