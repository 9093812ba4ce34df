"""Readers of the supported formats; the first bytes of a file, not its name, determine the format."""

from pathlib import Path

from nst_jax.errors import UserError
from nst_jax.files import open_regular
from nst_jax.weights.readers import (
    keras_h5,
    matconvnet,
    matlab,
    safetensors_file,
    tfjs,
    torch_file,
)
from nst_jax.weights.readers.contents import Contents, Skip

__all__ = ["Contents", "Skip", "read"]

_HEAD = 128


def read(path: Path, skip: Skip) -> Contents:
    """Read the arrays of a weight file under their names in the file, except those to `skip`.

    Raises:
        UserError: the format is unknown, or the file is damaged or malicious.
        OSError: the file cannot be opened, or is not a regular file.
    """
    if path.is_dir():
        return tfjs.read(tfjs.manifest_of(path), skip)
    with open_regular(path) as file:
        head = file.read(_HEAD)
    if head.startswith(keras_h5.MAGIC):
        return keras_h5.read(path, skip)
    if head.startswith((torch_file.ZIP_MAGIC, torch_file.LEGACY_MAGIC)):
        return torch_file.read(path, skip)
    if head.startswith(matlab.MAGIC):
        return matconvnet.read(path, skip)
    if safetensors_file.is_safetensors(head):
        return safetensors_file.read(path, skip)
    if head.lstrip()[:1] in (b"{", b"["):
        return tfjs.read(path, skip)
    raise UserError(f"{path}: {_complaint(head)}")


def _complaint(head: bytes) -> str:
    if not head:
        return "the file is empty"
    if head.startswith(matconvnet.MAGIC_73):
        return "MATLAB 7.3 files are not supported; save it with -v7, or use the original MatConvNet file"
    if head.lstrip()[:1] == b"<":
        return "a web page, not a weight file: the download failed"
    return (
        "not a supported weight format; choices: safetensors, Keras .h5, PyTorch .pth, MatConvNet .mat, "
        "TensorFlow.js"
    )
