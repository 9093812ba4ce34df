"""Readers of the public formats: a file's first bytes, not its name, say which one reads it."""

from pathlib import Path

from nst_jax.errors import UserError
from nst_jax.weights.naming import is_ignored
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


def read(path: Path, skip: Skip = is_ignored) -> Contents:
    """The arrays of a weight file under the file's own names, less those to `skip`.

    Raises:
        UserError: a format that no reader knows, or a damaged or hostile file.
        OSError: the file cannot be opened.
    """
    if path.is_dir():
        return tfjs.read(tfjs.manifest_of(path), skip)
    with path.open("rb") as file:
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
        return "an empty file"
    if head.startswith(matconvnet.MAGIC_73):
        return "a MATLAB 7.3 file; save it with -v7, or give the original MatConvNet file"
    if head.lstrip()[:1] == b"<":
        return "a web page, not weights: the download went wrong"
    return (
        "not a known weight format; known are safetensors, Keras .h5, PyTorch .pth, "
        "MatConvNet .mat, TensorFlow.js"
    )
