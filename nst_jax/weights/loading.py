"""From a file in any public format to `Weights`: read, rename, check, find the preprocessing."""

import dataclasses
import os
from pathlib import Path

import numpy as np
from absl import logging

from nst_jax.errors import UserError
from nst_jax.networks.architectures import architecture
from nst_jax.networks.trained import OXFORD, TORCHVISION, Preprocessing, Weights, make_weights
from nst_jax.weights import checks, naming, oxford, readers

_FAMILY_PREPROCESSING = {
    "caffe": OXFORD,
    "canonical": OXFORD,
    "keras": OXFORD,
    "keras 3": OXFORD,
    "torchvision": TORCHVISION,
}


def load(path: str | os.PathLike[str], arch: str, preprocessing: Preprocessing | None = None) -> Weights:
    """Read the convolutions of `arch` from a weight file of any public format, strictly.

    `preprocessing` is found from the file unless given. The file may hold the first layers only.

    Raises:
        UserError: the file cannot be read, or holds anything but the convolutions of `arch`.
    """
    file = Path(path)
    architecture(arch)
    contents = read_contents(file)
    if contents.arch not in (None, arch):
        raise UserError(f"{file}: holds {contents.arch}, but network.arch is {arch}")
    named = naming.canonical(str(file), arch, contents.tensors)
    arrays = checks.checked(str(file), arch, named.arrays)
    found = (
        preprocessing
        or contents.preprocessing
        or _oxford_preprocessing(arch, arrays)
        or _guessed_preprocessing(file, named.family)
    )
    return make_weights(file.name, arch, *_oxford_as_bgr(arrays, found))


def stated_arch(path: str | os.PathLike[str]) -> str | None:
    """The arch that a file itself states, as our canonical ones do."""
    return read_contents(Path(path)).arch


def read_contents(file: Path, skip: readers.Skip = naming.is_ignored) -> readers.Contents:
    """What a reader finds in `file`, a file that cannot be opened being the user's to mend."""
    try:
        return readers.read(file, skip)
    except OSError as error:
        raise UserError(f"cannot read {file}: {error.strerror or error}") from error


def _oxford_preprocessing(arch: str, arrays: dict[str, np.ndarray]) -> Preprocessing | None:
    order = oxford.channel_order(arch, arrays)
    if order is None:
        return None
    return OXFORD if order == "bgr" else _reversed(OXFORD)


def _guessed_preprocessing(file: Path, family: str) -> Preprocessing:
    """What files with such names expect; a wrong guess gives odd colours, not an error."""
    if family == "canonical":
        logging.warning(
            "%s does not say what input it expects: taking Oxford's (BGR, 0..255, less the mean); "
            "`python -m nst_jax.weights convert --preprocessing=...` settles it",
            file,
        )
    return _FAMILY_PREPROCESSING[family]


def _oxford_as_bgr(
    arrays: dict[str, np.ndarray], preprocessing: Preprocessing
) -> tuple[dict[str, np.ndarray], Preprocessing]:
    """Turn Oxford's network in RGB order, as MatConvNet has it, into its BGR twin of one digest."""
    if preprocessing != _reversed(OXFORD) or "conv1_1.kernel" not in arrays:
        return arrays, preprocessing
    return {**arrays, "conv1_1.kernel": arrays["conv1_1.kernel"][:, :, ::-1]}, OXFORD


def _reversed(preprocessing: Preprocessing) -> Preprocessing:
    return dataclasses.replace(
        preprocessing,
        channels=preprocessing.channels[::-1],
        mean=preprocessing.mean[::-1],
        std=preprocessing.std[::-1],
    )
