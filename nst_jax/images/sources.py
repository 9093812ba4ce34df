"""Where a stream's pictures come from: a folder, a prepared TFDS split, or the bundled photographs.

A source only lists and opens: every picture, whatever its source, is decoded by `nst_jax.images`.
"""

import dataclasses
import os
import re
from collections.abc import Callable, Iterator
from io import BufferedReader, BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from nst_jax.errors import UserError, unknown
from nst_jax.images.reading import UnreadableError, open_file
from nst_jax.images.samples import PHOTOS, SAMPLE_PREFIX, locate

CHOICES = ("folder:PATH", "tfds:NAME[/CONFIG]:SPLIT", SAMPLE_PREFIX)

_TFDS_SPEC = re.compile(r"(?P<name>[^:]+(?::\d+\.\d+\.\d+)?):(?P<split>.+)")
_VERSION = re.compile(r"\d+\.\d+\.\d+")


@dataclasses.dataclass(frozen=True)
class Source:
    """Numbered files of pictures, always in the same order.

    `open` raises UnreadableError; whether there is a picture in the file, only decoding tells.
    """

    count: int
    name: Callable[[int], str]
    open: Callable[[int], BufferedReader | BytesIO]


def find(spec: str) -> Source:
    """The source that the config field `data` names.

    Raises:
        UserError: it is none of `CHOICES`, there is nothing there, or it cannot be read.
    """
    scheme, colon, rest = spec.partition(":")
    sources = {"folder": _folder, "tfds": _tfds, "sample": _samples}
    if not colon or scheme not in sources:
        raise unknown("data", spec, CHOICES)
    return sources[scheme](rest)


def _folder(path: str) -> Source:
    """All files below a folder but hidden ones, sorted by their paths."""
    folder = Path(os.path.expanduser(path))
    if not (path and folder.is_dir()):
        why = "it is not a folder" if path and folder.exists() else "no such folder"
        raise UserError(f"data: cannot read 'folder:{path}': {why}")
    found = sorted(_files_below(folder))
    if not found:
        raise UserError(f"data: 'folder:{path}' holds no files")

    def name(i: int) -> str:
        # Names that are not UTF-8 would fail to be written, hours later, into a report.
        return os.fsencode(found[i]).decode(errors="backslashreplace")

    return Source(len(found), name, lambda i: open_file(folder / found[i], name(i)))


def _files_below(folder: Path) -> Iterator[str]:
    """Paths relative to `folder`; through links, but into no folder twice, as links can go round.

    Folders that may not be entered are listed too, to be named with what else cannot be read.
    """
    closed: list[str] = []
    entered = {os.path.realpath(folder)}
    walk = os.walk(folder, onerror=lambda error: closed.append(error.filename), followlinks=True)
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
    yield from (os.path.relpath(path, folder) for path in closed)


def _samples(name: str) -> Source:
    """All the bundled photographs, or the one of that name."""
    names = (name,) if name else PHOTOS
    paths = [locate(SAMPLE_PREFIX + name) for name in names]
    return Source(len(names), names.__getitem__, lambda i: open_file(paths[i], names[i]))


def _tfds(rest: str) -> Source:
    """A split of a dataset that TFDS has prepared in array_record, read without TensorFlow."""
    match = _TFDS_SPEC.fullmatch(rest)
    if not match:
        raise UserError(f"data: 'tfds:{rest}' names no split; write tfds:NAME[/CONFIG]:SPLIT")
    name, split = match["name"], match["split"]
    try:
        import tensorflow_datasets as tfds  # A second to import, and few runs need it.

        builder = tfds.builder_from_directory(_prepared_folder(name))
        feature = _picture_feature(name, builder.info.features)
        # The file's own bytes, as `nst_jax.images` knows of EXIF, colour profiles and damage.
        decoders = {feature: tfds.decode.SkipDecoding()}
        records = _records(builder, name, split, decoders)
    except ModuleNotFoundError as error:
        package = str(error.name).partition(".")[0]
        raise UserError(f"data: 'tfds:{rest}' needs a package: pip install {package}") from error

    def label(i: int) -> str:
        return f"{split}[{i}]"

    def open_record(i: int) -> BytesIO:
        try:
            return BytesIO(records[i][feature])
        except Exception as error:  # The reader in C++ and the parser fail in ways of their own.
            raise UnreadableError(label(i), error) from error

    return Source(len(records), label, open_record)


def _prepared_folder(name: str) -> Path:
    """Where TFDS keeps the dataset, in the version named, else in the latest."""
    root = Path(os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets").expanduser()
    infos = [*root.glob("*/*/dataset_info.json"), *root.glob("*/*/*/dataset_info.json")]
    folders = [info.parent for info in infos if _VERSION.fullmatch(info.parent.name)]
    prepared = {}
    for folder in sorted(folders, key=lambda folder: tuple(map(int, folder.name.split(".")))):
        dataset = folder.parent.relative_to(root).as_posix()
        prepared[dataset] = prepared[f"{dataset}:{folder.name}"] = folder
    if name in prepared:
        return prepared[name]
    choices = sorted(dataset for dataset in prepared if ":" not in dataset) or ["none yet"]
    raise UserError(f"{unknown(f'data: dataset in {root}', name, choices)}; {_how_to_prepare(name)}")


def _how_to_prepare(name: str) -> str:
    python = (
        "import tensorflow_datasets as tfds; "
        f"tfds.builder({name!r}, file_format='array_record').download_and_prepare()"
    )
    return f'to prepare one, with TensorFlow installed: python -c "{python}"; TFDS_DATA_DIR names the folder'


def _picture_feature(name: str, features: Any) -> str:
    """The one feature of a dataset that is a picture; label maps and depths are none."""
    import tensorflow_datasets as tfds

    pictures = [
        key
        for key, feature in sorted(features.items())
        if isinstance(feature, tfds.features.Image)
        and not isinstance(feature, tfds.features.LabeledImage)
        and feature.np_dtype != np.float32
    ]
    if len(pictures) == 1:
        return pictures[0]
    held = f"several pictures ({', '.join(pictures)})" if pictures else "no picture"
    raise UserError(
        f"data: each example of {name!r} holds {held}, not one; features: {', '.join(sorted(features))}"
    )


def _records(builder: Any, name: str, split: str, decoders: dict[str, Any]) -> Any:
    try:
        return builder.as_data_source(split, decoders=decoders)
    except NotImplementedError as error:
        why = f"{builder.info.file_format.value} is read by TensorFlow only"
        raise UserError(f"data: {name!r} in {builder.data_dir}: {why}; {_how_to_prepare(name)}") from error
    except ValueError as error:
        why = " ".join(str(error).split())
        choices = ", ".join(sorted(builder.info.splits))
        raise UserError(f"data: no split {split!r} in {name!r}: {why}; choices: {choices}") from error
