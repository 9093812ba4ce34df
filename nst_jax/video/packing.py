"""The pictures and masks of a clip's styles, on their way to machines that share no disk."""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from pathlib import Path

from nst_jax import files
from nst_jax.config.controls import StyleConfig
from nst_jax.images.folders import FOLDER
from nst_jax.images.samples import SAMPLE_PREFIX, locate
from nst_jax.transfer.pictures import picture_sources
from nst_jax.video.settings import VideoSettings

Packed = tuple[VideoSettings, dict[str, bytes]]


def packed(settings: VideoSettings) -> Packed:
    """Return the settings with names in the place of paths, and the files by these names.

    Raises:
        UserError: a folder has no pictures.
    """
    contents: dict[str, bytes] = {}

    @functools.cache  # styles with the same mask share a region
    def named(source: str) -> str:
        place = f"{len(contents):06d}"
        if source.startswith(FOLDER):
            folder = locate(source.removeprefix(FOLDER))
            for path in map(Path, picture_sources(source)):
                contents[f"{place}/{path.relative_to(folder).as_posix()}"] = path.read_bytes()
            return f"{FOLDER}{place}"
        path, mark, tail = locate(source), "", ""
        if not path.exists():  # a page or a colour of a file: PATH#N
            head, mark, tail = source.rpartition("#")
            path = locate(head)
        name = f"{place}/{path.name}"
        contents[name] = path.read_bytes()
        return name + mark + tail

    return _with_sources(settings, named), contents


def unpacked(settings: VideoSettings, contents: Mapping[str, bytes], folder: Path) -> VideoSettings:
    """Write the files of `packed` to `folder`, and return the settings with their paths."""
    for name, data in contents.items():
        files.write_bytes(folder / name, data)

    def located(source: str) -> str:
        if source.startswith(FOLDER):
            return f"{FOLDER}{folder / source.removeprefix(FOLDER)}"
        return str(folder / source)

    return _with_sources(settings, located)


def _with_sources(settings: VideoSettings, change: Callable[[str], str]) -> VideoSettings:
    """Change all paths of styles that are in use; bundled pictures are everywhere."""

    def changed(source: str) -> str:
        return change(source) if source and not source.startswith(SAMPLE_PREFIX) else source

    def located(style: StyleConfig) -> StyleConfig:
        image, region, mask = map(changed, (style.image, style.region, style.mask))
        return dataclasses.replace(style, image=image, region=region, mask=mask)

    if not settings.styles:
        return dataclasses.replace(settings, style=changed(settings.style))
    styles = {name: located(style) for name, style in settings.active_styles().items()}
    return dataclasses.replace(settings, styles=styles)
