"""Load `Weights` from a file of any supported format: read, rename, check, detect the preprocessing."""

import os
from pathlib import Path

import numpy as np
from absl import logging

from nst_jax.errors import UserError, one_line
from nst_jax.networks.architectures import architecture
from nst_jax.networks.trained import OXFORD, Preprocessing, Weights, make_weights, reversed_channels
from nst_jax.weights import checks, naming, readers
from nst_jax.weights.batch_norm import fold_batch_norms
from nst_jax.weights.preprocessing import detect

LONGEST_NAME = 80  # characters
_LONGEST_LIST = 160  # characters, of the arrays that a warning names


def load(
    path: str | os.PathLike[str], arch: str, preprocessing: Preprocessing | None = None, name: str = ""
) -> Weights:
    """Read the convolutions of `arch` from a weight file of any supported format, with strict checks.

    The network is called `name`, by default like the file.
    `preprocessing` is detected unless given; a guess is a warning. The file may contain only the first
    layers. The arrays of a classifier or an optimiser are skipped, and those of other layers with a warning.

    Raises:
        UserError: the file cannot be read, or its convolutions are not those of `arch`.
    """
    file = Path(path)
    # Raises if there is none of this name, before the file is read.
    architecture(arch)
    contents = read_contents(file, lambda name: naming.is_ignored(arch, name))
    if contents.arch not in (None, arch):
        raise UserError(f"{file}: contains {contents.arch}, but network.arch is {arch}")
    named, family, skipped = naming.canonical(str(file), arch, contents.tensors)
    arrays = checks.checked(str(file), arch, fold_batch_norms(str(file), named))
    if skipped:
        logging.warning(
            "%s: skipped arrays that are no convolutions of %s: %s",
            *(displayed_name(file), arch, one_line(naming.shortened(skipped), _LONGEST_LIST)),
        )
    stated = preprocessing or contents.preprocessing
    detected = stated or detect(file, arch, arrays, family, contents.usual)
    sound = checks.require_sound(str(file), detected)
    return make_weights(name or displayed_name(file), arch, *_oxford_as_bgr(arrays, sound))


def stated_arch(path: str | os.PathLike[str]) -> str | None:
    """The architecture stated in a file, as in our canonical files; None if there is none."""
    return read_contents(Path(path), lambda name: True).arch


def displayed_name(file: Path) -> str:
    """The name of `file` as printed and recorded."""
    return one_line(file.name, LONGEST_NAME)


def read_contents(file: Path, skip: readers.Skip) -> readers.Contents:
    """Read `file` except the arrays to `skip`; if it cannot be opened, this is a `UserError`."""
    try:
        return readers.read(file, skip)
    except OSError as error:
        raise UserError(f"cannot read {file}: {error.strerror or error}") from error


def _oxford_as_bgr(
    arrays: dict[str, np.ndarray], preprocessing: Preprocessing
) -> tuple[dict[str, np.ndarray], Preprocessing]:
    """Convert Oxford's network from RGB order (MatConvNet) to BGR, so that both have the same digest."""
    if preprocessing != reversed_channels(OXFORD) or "conv1_1.kernel" not in arrays:
        return arrays, preprocessing
    return {**arrays, "conv1_1.kernel": arrays["conv1_1.kernel"][:, :, ::-1]}, OXFORD
