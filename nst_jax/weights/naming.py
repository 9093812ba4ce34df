"""Translation of array names in public files to ours: "conv1_1.kernel" (HWIO), "conv1_1.bias"."""

import dataclasses
import re
from collections.abc import Mapping, Sequence

import numpy as np

from nst_jax.errors import UserError
from nst_jax.networks.architectures import ARCHITECTURES, architecture
from nst_jax.weights.batch_norm import NORM

# What torchvision calls the arrays of a convolution, and of the batch normalisation that follows one.
_TORCHVISION_PARTS = {"weight": "kernel", "bias": "bias"}
_NORM_PARTS = {"weight": "scale", "bias": "bias", "running_mean": "mean", "running_var": "variance"}
# Family -> pattern of its names for VGG.
_PATTERNS = {
    # block1_conv1/block1_conv1_W_1:0, block1_conv1/kernel:0, layers/block1_conv1/vars/0
    "keras": re.compile(
        r"(?:.*/)?block(?P<block>\d)_conv(?P<index>\d)(?:/vars)?"
        r"[/_](?P<part>kernel|bias|W|b|0|1)(?:_1)?(?::0)?"
    ),
    # Keras 3 numbers the layers of a class: layers/conv2d/vars/0, layers/conv2d_1/vars/0, ...
    "keras 3": re.compile(r"(?:.*/)?conv2d(?:_(?P<order>\d+))?/vars/(?P<part>0|1)"),
}
# The same for the layers of the classifier.
_CLASSIFIER_PATTERNS = {
    "canonical": re.compile(r"(?P<layer>fc[678])\.(?P<part>kernel|bias)"),
    "caffe": re.compile(r"(?P<layer>fc[678])\.(?P<part>weight)"),
    "torchvision": re.compile(r"classifier\.(?P<layer>[01346])\.(?P<part>weight|bias)"),
    "keras": re.compile(
        r"(?!optimizer)(?:.*/)?(?P<layer>fc1|fc2|predictions)(?:/vars)?"
        r"[/_](?P<part>kernel|bias|W|b|0|1)(?:_1)?(?::0)?"
    ),
    "keras 3": re.compile(r"(?!optimizer)(?:.*/)?(?P<layer>dense(?:_[12])?)/vars/(?P<part>0|1)"),
}
# PyTorch's positions with dropout after the ReLUs, and, as in its early files, before the linear layers.
_CLASSIFIER_LAYERS = {
    **dict.fromkeys(("fc6", "0", "1", "fc1", "dense"), "fc6"),
    **dict.fromkeys(("fc7", "3", "4", "fc2", "dense_1"), "fc7"),
    **dict.fromkeys(("fc8", "6", "predictions", "dense_2"), "fc8"),
}
_BIASES = ("bias", "b", "1")
_OIHW = ("caffe", "torchvision")
_IGNORED = re.compile(
    r"(?:.*/)?(?:classifier|fc\d|predictions|dense)(?:[./_:]|$)|optimizer|.*\.num_batches_tracked$"
)


@dataclasses.dataclass(frozen=True)
class NamedArrays:
    """Arrays under canonical names, and the family of the names in the file."""

    arrays: dict[str, np.ndarray]
    family: str


def canonical(file: str, arch: str, tensors: Mapping[str, np.ndarray]) -> NamedArrays:
    """Rename and transpose `tensors`; every name must be known, or be one that is skipped.

    Raises:
        UserError: a name does not belong to a convolution of `arch`, or two names refer to the same array.
    """
    arrays: dict[str, np.ndarray] = {}
    families = {"canonical"}
    unknown = []
    for stored, array in tensors.items():
        if is_ignored(arch, stored):
            continue
        translated = _translate(arch, stored)
        if translated is None:
            unknown.append(stored)
            continue
        family, name = translated
        if name in arrays:
            raise UserError(f"{file}: contains {name} twice, the second time as {stored!r}")
        arrays[name] = _hwio(array) if family in _OIHW else array
        families.add(family)
    if unknown or not arrays:
        raise UserError(f"{file}: {_complaint(arch, unknown, list(tensors))}")
    # Caffe's names of biases are the canonical ones, so "canonical" counts only if it is the only family.
    return NamedArrays(arrays, max(families - {"canonical"}, default="canonical"))


def is_ignored(arch: str, stored: str) -> bool:
    """Whether a name belongs to a classifier that is not part of `arch`, to an optimiser or to a counter."""
    return _IGNORED.match(_bare(stored)) is not None and _translate(arch, stored) is None


def classifier_name(stored: str) -> tuple[str, str] | None:
    """(family, canonical name such as "fc6.kernel") of an array of the classifier; None for any other."""
    for family, pattern in _CLASSIFIER_PATTERNS.items():
        if match := pattern.fullmatch(_bare(stored)):
            part = "bias" if match["part"] in _BIASES else "kernel"
            return family, f"{_CLASSIFIER_LAYERS[match['layer']]}.{part}"
    return None


def shortened(names: Sequence[str], limit: int = 4) -> str:
    """The first few of `names`, and how many more there are."""
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more


def _translate(arch: str, stored: str) -> tuple[str, str] | None:
    """(family, canonical name) for a name in a file; None if it is unknown.

    The family "caffe" is a state dict with our names, which for VGG are Caffe's: Gatys' vgg_conv.pth.
    """
    module, _, part = _bare(stored).rpartition(".")
    ours = architecture(arch).torchvision.get(module, "")
    parts = _NORM_PARTS if ours.endswith(NORM) else _TORCHVISION_PARTS
    if ours and part in parts:
        return "torchvision", f"{ours}.{parts[part]}"
    if module in architecture(arch).filters:
        if part in ("kernel", "bias"):
            return "canonical", f"{module}.{part}"
        return ("caffe", f"{module}.kernel") if part == "weight" else None
    for family, pattern in _PATTERNS.items():
        if match := pattern.fullmatch(_bare(stored)):
            layer = _layer(arch, match.groupdict())
            part = "bias" if match["part"] in _BIASES else "kernel"
            return (family, f"{layer}.{part}") if layer in architecture(arch).weighted else None
    return None


def _layer(arch: str, groups: dict[str, str | None]) -> str | None:
    """The layer that the groups of a matched pattern refer to."""
    layers = architecture(arch).weighted
    if "order" in groups:
        order = int(groups["order"] or 0)
        return layers[order] if order < len(layers) else None
    return f"conv{groups['block']}_{groups['index']}"


def _bare(name: str) -> str:
    return name.removeprefix("module.")  # added by torch.nn.DataParallel


def _hwio(array: np.ndarray) -> np.ndarray:
    """A kernel with the outputs last; that of a fully connected layer becomes a 1x1 convolution."""
    if array.ndim == 2:
        return array.T[np.newaxis, np.newaxis]
    return array.transpose(2, 3, 1, 0) if array.ndim == 4 else array


def _complaint(arch: str, unknown: list[str], names: list[str]) -> str:
    if not unknown:
        return f"contains no convolutions of {arch}"
    looks_like = [
        other
        for other in ARCHITECTURES
        if all(_translate(other, name) for name in names if not is_ignored(other, name))
    ]
    hint = f"; it looks like {looks_like[0]}" if looks_like else ""
    return f"arrays that {arch} does not have: {shortened(unknown)}{hint}"
