"""Translation of array names in public files to ours: "conv1_1.kernel" (HWIO), "conv1_1.bias".

A name may start with a prefix, which says where the network is inside a larger model. All arrays of the
network have the same one, so it need not be known: the prefix under which most names make sense is taken.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from nst_jax.errors import UserError
from nst_jax.networks.architectures import ARCHITECTURES, INPUT_CHANNELS, architecture
from nst_jax.weights.batch_norm import NORM
from nst_jax.weights.classifier_names import (
    BIASES,
    KERAS_PART,
    belongs_to_classifier,
    belongs_to_optimizer,
    classifier_name,
)

__all__ = ["canonical", "classifier_name", "is_ignored", "shortened"]

# What torchvision calls the arrays of a convolution, and of the batch normalisation that follows one.
_TORCHVISION_PARTS = {"weight": "kernel", "bias": "bias"}
_NORM_PARTS = {"weight": "scale", "bias": "bias", "running_mean": "mean", "running_var": "variance"}
# Family -> pattern of its names for VGG.
_PATTERNS = {
    # block1_conv1/block1_conv1_W_1:0, block1_conv1/kernel:0, layers/block1_conv1/vars/0
    "keras": re.compile(
        r"(?P<prefix>.*?)(?:block\d_conv\d/(?:.*/)?)?block(?P<block>\d)_conv(?P<index>\d)(?:/vars)?[/_]"
        + KERAS_PART
    ),
    # Keras 3 and Flax number the layers of a class: layers/conv2d/vars/0, layers/conv2d_1/vars/0; Conv_0/...
    "keras 3": re.compile(r"(?P<prefix>(?:.*/)?)conv2d(?:_(?P<order>\d+))?/vars/(?P<part>0|1)"),
    "flax": re.compile(r"(?P<prefix>(?:.*/)?)Conv_(?P<order>\d+)/(?P<part>kernel|bias)"),
    # Files of NumPy: conv1_1_W in vgg16_weights.npz; a list or a dictionary per layer in vgg19.npy
    "numpy": re.compile(
        r"(?P<prefix>(?:.*/)?)conv(?P<block>\d)_(?P<index>\d)(?:_(?P<part>W|b)|/(?P<item>0|1|weights|biases))"
    ),
    # conv1_1/weight in flaxmodels' files, conv1_1/kernel in Flax
    "flaxmodels": re.compile(r"(?P<prefix>(?:.*/)?)conv(?P<block>\d)_(?P<index>\d)/(?P<part>weight|bias)"),
    "flax by name": re.compile(r"(?P<prefix>(?:.*/)?)conv(?P<block>\d)_(?P<index>\d)/(?P<part>kernel|bias)"),
}
_OIHW = ("caffe", "torchvision", "sequential")
# Modules that wrap others: torch.nn.DataParallel, torch.compile, FSDP; slices of a list of layers.
_WRAPPERS = re.compile(r"module|_orig_mod|_fsdp_wrapped_module|slice\d+")
_FEATURES = "features."
_DEEPEST = 4  # steps of the longest name of a module: layer2.0.downsample.0
_LONGEST_NAME = 500  # characters; longer ones are hostile
# An array of another layer that is named like a convolution of VGG.
_VGG_LIKE = re.compile(r"(?:conv|block)[1-5]_(?:conv)?\d")


class Reading(NamedTuple):
    """One way to understand a name: the array `name` of the network that is at `place` in the file."""

    place: tuple[str, int]  # the prefix, and which of the architecture's layouts
    family: str
    name: str


def canonical(
    file: str, arch: str, tensors: Mapping[str, np.ndarray]
) -> tuple[dict[str, np.ndarray], str, list[str]]:
    """Rename and transpose `tensors`; arrays of layers beside or after the convolutions are skipped.

    Returns them, the family of the names in the file, and the names that were skipped.

    Raises:
        UserError: a name is like that of a convolution but `arch` has none of that name, or two names refer
            to the same array.
    """
    readings, others = _readings_of(arch, tensors)
    refused = [name for name in others if not readings or _is_beside(arch, readings, name)]
    if refused or not readings:
        raise UserError(f"{file}: {_complaint(arch, refused, tensors)}")
    arrays: dict[str, np.ndarray] = {}
    for stored, (_, family, name) in readings.items():
        if name in arrays:
            raise UserError(f"{file}: contains {name} twice, the second time as {stored!r}")
        if family.startswith("keras") and _is_oihw(tensors[stored]):
            raise UserError(f"{file}: {_theano(tensors[stored])}")
        array = tensors[stored]
        if family in _OIHW and array.ndim == 2:  # a fully connected layer becomes a 1x1 convolution
            array = array.T[np.newaxis, np.newaxis]
        elif family in _OIHW and array.ndim == 4:
            array = array.transpose(2, 3, 1, 0)
        arrays[name] = array
    # Caffe's names of biases are the canonical ones, so "canonical" counts only if it is the only family.
    families = {reading.family for reading in readings.values()} - {"canonical"}
    return arrays, max(families, default="canonical"), others


def is_ignored(arch: str, stored: str) -> bool:
    """Whether a name belongs to a classifier that is not part of `arch`, to an optimiser or to a counter."""
    return belongs_to_optimizer(stored) or (
        belongs_to_classifier(stored) and not any(_readings(arch, _bare(stored)))
    )


def shortened(names: Sequence[str], limit: int = 4) -> str:
    """The first few of `names`, and how many more there are."""
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more


def _readings_of(arch: str, tensors: Mapping[str, np.ndarray]) -> tuple[dict[str, Reading], list[str]]:
    """The readings of names at the place where most of them make sense, and the names without one there."""
    names = [name for name in tensors if not is_ignored(arch, name)]
    places: dict[tuple[str, int], dict[str, Reading]] = {}
    for stored in names:
        for reading in _readings(arch, _bare(stored)):
            places.setdefault(reading.place, {})[stored] = reading
    sound = [place for place in places.values() if _takes_pictures(arch, place, tensors)]
    best = max(sound, key=len, default={})
    return best, [name for name in names if name not in best]


def _takes_pictures(arch: str, place: Mapping[str, Reading], tensors: Mapping[str, np.ndarray]) -> bool:
    """Whether a list without a name, of which a model may have many, starts at an input of three channels."""
    first = f"{architecture(arch).filters[0]}.kernel"
    return any(
        family != "sequential" or (name == first and tensors[stored].shape[1:2] == (INPUT_CHANNELS,))
        for stored, (_, family, name) in place.items()
    )


def _readings(arch: str, bare: str) -> Iterator[Reading]:
    """The ways to understand a name; the prefix ends where the architecture's own name of a layer starts."""
    if len(bare) > _LONGEST_NAME:
        return
    module, _, part = bare.rpartition(".")
    steps = module.split(".")
    for start in range(max(0, len(steps) - _DEEPEST), len(steps)):
        prefix, local = ".".join(steps[:start]), ".".join(steps[start:])
        yield from _torch_readings(arch, prefix, local, part)
    for family, pattern in _PATTERNS.items():
        if match := pattern.fullmatch(bare):
            groups = match.groupdict()
            part = "bias" if (groups["part"] or groups["item"]) in BIASES else "kernel"
            if (layer := _layer(arch, groups)) in architecture(arch).weighted:
                yield Reading((groups["prefix"], 0), family, f"{layer}.{part}")


def _torch_readings(arch: str, prefix: str, local: str, part: str) -> Iterator[Reading]:
    """Names with dots. The family "caffe" is a state dict with our names, which for VGG are Caffe's: Gatys'
    vgg_conv.pth; "sequential" is the list `features` without its name."""
    whole = architecture(arch)
    bare_list = not f"{prefix}.".endswith(_FEATURES) and not belongs_to_classifier(f"{prefix}.{local}")
    found = False
    for layout, modules in enumerate((whole.torchvision, *whole.variants)):
        ours = modules.get(local, "")
        family = "torchvision" if ours else "sequential"
        if not ours and bare_list:
            ours = modules.get(_FEATURES + local, "")
        parts = _NORM_PARTS if ours.endswith(NORM) else _TORCHVISION_PARTS
        if ours and part in parts:
            found = True
            yield Reading((prefix, layout), family, f"{ours}.{parts[part]}")
    if not found and local in whole.filters:
        if part in ("kernel", "bias"):
            yield Reading((prefix, 0), "canonical", f"{local}.{part}")
        elif part == "weight":
            yield Reading((prefix, 0), "caffe", f"{local}.kernel")


def _layer(arch: str, groups: dict[str, str | None]) -> str | None:
    """The layer that the groups of a matched pattern refer to."""
    layers = architecture(arch).weighted
    if "order" in groups:
        # Of a hostile name with thousands of digits, a few say that there is no such layer.
        order = int((groups["order"] or "0")[:4])
        return layers[order] if order < len(layers) else None
    return f"conv{groups['block']}_{groups['index']}"


def _bare(name: str) -> str:
    """The name without the modules that only wrap others."""
    return ".".join(step for step in name.split(".") if not _WRAPPERS.fullmatch(step))


def _is_beside(arch: str, readings: Mapping[str, Reading], stored: str) -> bool:
    """Whether an unknown name is among the convolutions, so that skipping it would change the network."""
    bare, (prefix, layout) = _bare(stored), next(iter(readings.values())).place
    if not bare.startswith(prefix):
        return False
    local = bare.removeprefix(prefix).lstrip(".")
    if not re.search(r"[./]|_[Wb]$", local) or _VGG_LIKE.match(local):
        return True
    whole = architecture(arch)
    modules = (whole.torchvision, *whole.variants)[layout]
    first, _, rest = local.partition(".")
    if local[:1].isdigit():  # the list `features` without its name
        first, rest = "features", local
    if first not in {module.partition(".")[0] for module in modules}:
        return False
    position = rest.partition(".")[0]
    positions = [int(name.split(".")[1]) for name in modules if name.startswith(_FEATURES)]
    return not (first == "features" and position.isdigit() and int(position[:6]) > max(positions, default=0))


def _is_oihw(array: np.ndarray) -> bool:
    return array.ndim == 4 and array.shape[2:] == (3, 3) != array.shape[:2]


def _theano(kernel: np.ndarray) -> str:
    return (
        f"in the layout of Theano: a kernel is {kernel.shape}, and its filters are flipped; use the file for "
        "TensorFlow, ..._tf_dim_ordering_tf_kernels_notop.h5"
    )


def _complaint(arch: str, refused: Sequence[str], tensors: Mapping[str, np.ndarray]) -> str:
    if any("/" in name and _is_oihw(array) for name, array in tensors.items()):
        return _theano(next(array for array in tensors.values() if _is_oihw(array)))
    if not refused:
        return f"contains no convolutions of {arch}"
    for other in ARCHITECTURES:
        readings, others = _readings_of(other, tensors)
        if readings and not others:
            return f"arrays that {arch} does not have: {shortened(refused)}; it looks like {other}"
    return f"arrays that {arch} does not have: {shortened(refused)}"
