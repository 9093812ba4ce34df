"""The registered networks: the architecture, the mirrors, the size and the digest of each file."""

import dataclasses
import os

from nst_jax.errors import unknown

_KERAS = "https://storage.googleapis.com/tensorflow/keras-applications"
_KERAS_RELEASES = "https://github.com/fchollet/deep-learning-models/releases/download/v0.1"
_TORCHVISION = "https://download.pytorch.org/models"


@dataclasses.dataclass(frozen=True)
class Entry:
    """A published weight file."""

    name: str
    arch: str
    title: str  # the network's name in run.json and in the last line of output
    file_name: str
    urls: tuple[str, ...]
    size: int | None  # bytes; None if it is not known
    digest: str  # of the file, "sha256:..." or "md5:..."; may be a prefix
    preprocessing: str = "oxford"  # a name in `trained.PREPROCESSINGS`


def _keras(arch: str, size: int, md5: str) -> Entry:
    """Oxford's original weights without the classifier: a seventh of the size of the full file."""
    file_name = f"{arch}_weights_tf_dim_ordering_tf_kernels_notop.h5"
    urls = (f"{_KERAS}/{arch}/{file_name}", f"{_KERAS_RELEASES}/{file_name}")
    title = f"{arch} (Oxford, keras-notop)"
    return Entry(arch, arch, title, file_name, urls, size, f"md5:{md5}")


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
        "torchvision",
    )


_ENTRIES = (
    _keras("vgg19", 80_134_624, "253f8cb515780f3b799900260a226db6"),
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
