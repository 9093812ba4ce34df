"""The files below a folder, and the pictures among them."""

import functools
import os
from collections.abc import Iterator
from pathlib import Path, PurePath

from absl import logging

from nst_jax.errors import UserError
from nst_jax.images.reading import picture_suffixes

FOLDER = "folder:"


def folder_files(path: str) -> tuple[Path, list[str]]:
    """The folder at `path`, and the relative paths of the files below it except hidden ones, sorted.

    Raises:
        UserError: it is not a folder, or contains no files.
    """
    folder = Path(os.path.expanduser(path))
    if not (path and folder.is_dir()):
        why = "it is not a folder" if path and folder.exists() else "no such folder"
        raise UserError(f"cannot read 'folder:{path}': {why}")
    paths = sorted(_files_below(folder))
    if not paths:
        raise UserError(f"'folder:{path}' contains no files")
    return folder, paths


def folder_pictures(source: str) -> tuple[Path, list[str]]:
    """The folder that `source`, `folder:PATH`, names, and the sorted relative paths of the pictures below it.

    Files with other suffixes are skipped, with a warning that names them.

    Raises:
        UserError: there is no such folder, or it has no pictures.
    """
    folder, paths = folder_files(source.removeprefix(FOLDER))
    suffixes = picture_suffixes()
    pictures = [path for path in paths if PurePath(path).suffix.lower() in suffixes]
    if not pictures:
        raise UserError(f"{source!r} contains no pictures ({', '.join(sorted(suffixes))})")
    _warn_of_skipped(source, tuple(path for path in paths if path not in pictures))
    return folder, pictures


@functools.cache  # said once, however many runs use the folder
def _warn_of_skipped(source: str, skipped: tuple[str, ...]) -> None:
    if skipped:
        names = ", ".join(skipped[:5]) + ", ..." * (len(skipped) > 5)
        logging.warning("%s: skipped %d files that are not pictures: %s", source, len(skipped), names)


def _files_below(folder: Path) -> Iterator[str]:
    """Paths relative to `folder`; links are followed, but each folder is entered once: links can form cycles.

    Folders that cannot be opened are included, so that they are reported with the unreadable files.
    """
    unreadable: list[str] = []
    entered = {os.path.realpath(folder)}
    walk = os.walk(folder, onerror=lambda error: unreadable.append(error.filename), followlinks=True)
    for place, folders, names in walk:
        below = {name: os.path.realpath(os.path.join(place, name)) for name in sorted(folders)}
        folders.clear()
        for name, real in below.items():
            if not name.startswith(".") and real not in entered:
                entered.add(real)
                folders.append(name)
        for name in names:
            if not name.startswith("."):
                yield os.path.relpath(os.path.join(place, name), folder)
    yield from (os.path.relpath(path, folder) for path in unreadable)
