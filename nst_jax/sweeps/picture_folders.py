"""A folder as a value of a sweep: one run per picture."""

from collections import Counter
from pathlib import PurePath

from nst_jax.errors import UserError
from nst_jax.images.folders import folder_pictures

PICTURE_FIELDS = ("content", "style")  # for which folder:PATH means one run per picture


def pictures_in(field: str, source: str) -> list[tuple[str, str]]:
    """Return (label, path) of every picture in `source`, `folder:PATH`, and in its subfolders, by name.

    A label is the path below the folder, with `-` for `/`, and without its suffix unless two pictures differ
    in the suffix alone.

    Raises:
        UserError: there is no such folder, or it has no pictures.
    """
    try:
        folder, pictures = folder_pictures(source)
    except UserError as error:
        raise error.prefixed(field) from error
    short = Counter(PurePath(path).with_suffix("").as_posix() for path in pictures)
    found = []
    for path in pictures:
        name = PurePath(path).with_suffix("").as_posix()
        label = name if short[name] == 1 else PurePath(path).as_posix()
        found.append((label.replace("/", "-"), str(folder / path)))
    return found
