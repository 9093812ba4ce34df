"""Where a stream's pictures come from: a folder, a prepared TFDS split, or the bundled photographs.

A source only lists and opens files; decoding is the same for all sources (`nst_jax.images`).
"""

import dataclasses
import os
import re
from collections.abc import Callable
from functools import partial
from io import BufferedReader, BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from nst_jax.errors import UserError, unknown
from nst_jax.images.folders import folder_files
from nst_jax.images.reading import UnreadableError, open_file
from nst_jax.images.samples import PHOTOS, SAMPLE_PREFIX, locate
from nst_jax.images.tfrecords import TFRecords

CHOICES = ("folder:PATH", "tfds:NAME[/CONFIG]:SPLIT", SAMPLE_PREFIX)

_TFDS_SPEC = re.compile(r"(?P<name>[^:]+(?::\d+\.\d+\.\d+)?):(?P<split>.+)")
_VERSION = re.compile(r"\d+\.\d+\.\d+")


@dataclasses.dataclass(frozen=True)
class Source:
    """Picture files, numbered in a fixed order.

    `open` raises UnreadableError if a file cannot be opened; only decoding shows if it is a picture. `label`
    is the name of a picture's class, or None if it has none.
    """

    count: int
    name: Callable[[int], str]
    open: Callable[[int], BufferedReader | BytesIO]
    label: Callable[[int], str | None] = lambda _: None


def find(spec: str) -> Source:
    """The source that the config field `data` names.

    Raises:
        UserError: `spec` has none of the forms in `CHOICES`, or the source is missing, empty or unreadable.
    """
    scheme, colon, rest = spec.partition(":")
    sources = {"folder": _folder, "tfds": _tfds, "sample": _samples}
    if not colon or scheme not in sources:
        raise unknown("data", spec, CHOICES)
    return sources[scheme](rest)


def _folder(path: str) -> Source:
    """All files below a folder except hidden ones, sorted by path; labels are the folders directly in it."""
    try:
        folder, paths = folder_files(path)
        folder = folder.absolute()  # also for a worker of a cluster, which starts elsewhere
    except UserError as error:
        raise UserError(f"data: {error}") from error

    def name(i: int) -> str:
        # Escape what is not UTF-8: writing such names to a report would fail at the end of a long run.
        return os.fsencode(paths[i]).decode(errors="backslashreplace")

    def label(i: int) -> str | None:
        return name(i).partition(os.sep)[0] if os.sep in paths[i] else None

    return Source(len(paths), name, lambda i: open_file(folder / paths[i], name(i)), label)


def _samples(name: str) -> Source:
    """All bundled photographs, or only the one called `name`."""
    names = (name,) if name else PHOTOS
    paths = [locate(SAMPLE_PREFIX + name) for name in names]
    return Source(len(names), names.__getitem__, lambda i: open_file(paths[i], names[i]))


def _tfds(rest: str) -> Source:
    """A split of a dataset that TFDS has prepared; reading it does not need TensorFlow."""
    match = _TFDS_SPEC.fullmatch(rest)
    if not match:
        raise UserError(f"data: 'tfds:{rest}' names no split; write tfds:NAME[/CONFIG]:SPLIT")
    name, split = match["name"], match["split"]
    try:
        import tensorflow_datasets as tfds  # takes a second, and few runs need it

        builder = tfds.builder_from_directory(_prepared_folder(name))
        feature = _picture_feature(name, builder.info.features)
        # Get the encoded bytes: `nst_jax.images` handles EXIF, colour profiles and damaged files.
        decoders = {feature: tfds.decode.SkipDecoding()}
        records = _records(builder, name, split, decoders)
    except ModuleNotFoundError as error:
        package = str(error.name).partition(".")[0]
        raise UserError(f"data: 'tfds:{rest}' requires a package: pip install {package}") from error

    def title(i: int) -> str:
        return f"{split}[{i}]"

    def value(i: int, feature: str) -> Any:
        try:
            return records[i][feature]
        except Exception as error:  # The C++ reader and the parser raise all kinds of errors.
            raise UnreadableError(title(i), error) from error

    class_feature = _class_feature(builder.info.features)

    def label(i: int) -> str | None:
        number = int(value(i, class_feature)) if class_feature else -1
        return builder.info.features[class_feature].int2str(number) if number >= 0 else None

    return Source(len(records), title, lambda i: BytesIO(value(i, feature)), label)


def _prepared_folder(name: str) -> Path:
    """The folder of a prepared dataset, in the version given in `name`, or else the latest."""
    root = Path(os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets").expanduser()
    infos = [*root.glob("*/*/dataset_info.json"), *root.glob("*/*/*/dataset_info.json")]
    folders = [info.parent for info in infos if _VERSION.fullmatch(info.parent.name)]
    prepared = {}
    # By numbers: version 10.0.0 comes after 9.0.0.
    for folder in sorted(folders, key=lambda folder: tuple(map(int, folder.name.split(".")))):
        dataset = folder.parent.relative_to(root).as_posix()
        prepared[dataset] = prepared[f"{dataset}:{folder.name}"] = folder
    if name in prepared:
        return prepared[name]
    choices = sorted(dataset for dataset in prepared if ":" not in dataset) or ["none yet"]
    refusal = unknown(f"data: dataset in {root}", name, choices)
    tail = f"{refusal.tail}{_how_to_prepare(name)}; TFDS_DATA_DIR sets the folder"
    raise UserError(refusal.message, tail)


def _how_to_prepare(name: str) -> str:
    """The command for a dataset that comes with TFDS; others are prepared by the code that defines them."""
    import tensorflow_datasets as tfds

    if re.split("[/:]", name)[0] not in tfds.list_builders(with_community_datasets=False):
        return ""
    python = (
        "import tensorflow_datasets as tfds; "
        f"tfds.builder({name!r}, file_format='array_record').download_and_prepare()"
    )
    return f'; to prepare it (requires TensorFlow): python -c "{python}"'


def _picture_feature(name: str, features: Any) -> str:
    """The name of a dataset's only picture feature; label maps and depth maps do not count."""
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
    count = f"several pictures ({', '.join(pictures)})" if pictures else "no picture"
    raise UserError(
        f"data: each example of {name!r} has {count}, not one; features: {', '.join(sorted(features))}"
    )


def _class_feature(features: Any) -> str | None:
    """The name of a dataset's class feature, `label` if it has several; None if it has none."""
    import tensorflow_datasets as tfds

    names = [key for key, feature in features.items() if isinstance(feature, tfds.features.ClassLabel)]
    return names[0] if len(names) == 1 else "label" if "label" in names else None


def _records(builder: Any, name: str, split: str, decoders: dict[str, Any]) -> Any:
    from tensorflow_datasets.core.data_sources import base

    try:
        if "tfrecord" in {known.value for known in builder.info.available_file_formats()}:
            decode = partial(builder.info.features.deserialize_example_np, decoders=decoders)
            return TFRecords(base.file_instructions(builder.info, split), decode)
        return builder.as_data_source(split, decoders=decoders)
    except NotImplementedError as error:
        kind = builder.info.file_format.value
        raise UserError(
            f"data: {name!r} in {builder.data_dir} was prepared as {kind}, which cannot be read",
            f"; prepare it with file_format='array_record'{_how_to_prepare(name)}",
        ) from error
    except UserError:
        raise
    except ValueError as error:
        why = " ".join(str(error).split())
        choices = ", ".join(sorted(builder.info.splits))
        raise UserError(f"data: no split {split!r} in {name!r}: {why}; choices: {choices}") from error
