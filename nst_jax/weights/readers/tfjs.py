"""TensorFlow.js layer models: a JSON manifest, and shards with the numbers in the same folder."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from nst_jax.errors import UserError
from nst_jax.weights.readers.contents import Contents, Skip

_MANIFESTS = ("model.json", "weights_manifest.json")
_MAX_MANIFEST_BYTES = 1 << 26


def manifest_of(folder: Path) -> Path:
    """The path of the manifest in a model's folder.

    Raises:
        UserError: there is no manifest.
    """
    for name in _MANIFESTS:
        if (folder / name).is_file():
            return folder / name
    raise UserError(f"{folder}: a folder with neither {' nor '.join(_MANIFESTS)}")


def read(path: Path, skip: Skip) -> Contents:
    """Read the arrays of the manifest `path`; groups whose arrays are all skipped need no shards."""
    try:
        if path.stat().st_size > _MAX_MANIFEST_BYTES:
            raise ValueError("too long")
        manifest = json.loads(path.read_bytes())
        groups = manifest["weightsManifest"] if isinstance(manifest, dict) else manifest
        tensors: dict[str, np.ndarray] = {}
        for group in groups:
            if not all(skip(weight["name"]) for weight in group["weights"]):
                tensors |= _group(path, group, skip)
        return Contents(tensors)
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        if isinstance(error, UserError):
            raise
        raise UserError(f"{path}: not a TensorFlow.js manifest: {error!r:.200}") from error


def _group(path: Path, group: dict[str, Any], skip: Skip) -> dict[str, np.ndarray]:
    if len(set(group["paths"])) < len(group["paths"]):
        raise UserError(f"{path}: lists a shard twice")
    data = b"".join(_shard(path, name) for name in group["paths"])
    tensors = {}
    offset = 0
    for weight in group["weights"]:
        if "quantization" in weight or weight["dtype"] != "float32":
            raise UserError(f"{path}: {weight['name']} is quantized, which is not supported")
        end = offset + 4 * math.prod(weight["shape"])
        if end > len(data):
            raise UserError(f"{path}: the shards of {weight['name']} are truncated")
        tensors[weight["name"]] = np.frombuffer(data[offset:end], "<f4").reshape(weight["shape"])
        offset = end
    return {name: array for name, array in tensors.items() if not skip(name)}


def _shard(path: Path, name: str) -> bytes:
    if Path(name).name != name:
        raise UserError(f"{path}: refused: shard {name!r} is outside its folder")
    try:
        return (path.parent / name).read_bytes()
    except OSError as error:
        raise UserError(f"{path}: shard {name} cannot be read: {error.strerror}") from error
