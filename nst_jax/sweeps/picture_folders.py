"""A folder as a value of a sweep: one run per picture."""

from collections import Counter
from pathlib import PurePath

from absl import logging

from nst_jax.errors import UserError
from nst_jax.images.reading import picture_suffixes
from nst_jax.images.sources import FOLDER, folder_files

PICTURE_FIELDS = ("content", "style")  # for which folder:PATH means one run per picture


def pictures_in(field: str, source: str) -> list[tuple[str, str]]:
    """Return (label, path) of every picture in `source`, `folder:PATH`, and in its subfolders, by name.

    A label is the path below the folder, with `-` for `/`, and without its suffix unless two pictures differ
    in the suffix alone.
    Files with other suffixes are skipped, with a warning that names them.

    Raises:
        UserError: there is no such folder, or it has no pictures.
    """
    try:
        folder, paths = folder_files(source.removeprefix(FOLDER))
    except UserError as error:
        raise UserError(f"{field}: {error}") from error
    suffixes = picture_suffixes()
    pictures = [path for path in paths if PurePath(path).suffix.lower() in suffixes]
    if skipped := [path for path in paths if path not in pictures]:
        names = ", ".join(skipped[:5]) + ", ..." * (len(skipped) > 5)
        logging.warning("%s: skipped %d files that are not pictures: %s", source, len(skipped), names)
    if not pictures:
        raise UserError(f"{field}: {source!r} contains no pictures ({', '.join(sorted(suffixes))})")
    short = Counter(PurePath(path).with_suffix("").as_posix() for path in pictures)
    return [(_name(path, short), str(folder / path)) for path in pictures]


def _name(path: str, short: Counter[str]) -> str:
    name = PurePath(path).with_suffix("").as_posix()
    return (name if short[name] == 1 else PurePath(path).as_posix()).replace("/", "-")
