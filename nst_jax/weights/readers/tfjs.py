"""TensorFlow.js layer models: a JSON manifest, and shards with the numbers in the same folder."""

import math
from pathlib import Path
from typing import Any

import numpy as np

from nst_jax.errors import UserError
from nst_jax.files import open_regular
from nst_jax.storage.json_files import MOST_BYTES, parse_json, require_fields
from nst_jax.weights.readers.contents import Contents, Skip, parsing, require_distinct
from nst_jax.weights.readers.refusals import folder_complaint

_MANIFESTS = ("model.json", "weights_manifest.json")
_MAX_SHARDS_BYTES = 1 << 30  # full VGG-19 takes 575 MB
_ITEM_BYTES = {"float32": 4, "int32": 4, "float16": 2, "uint16": 2, "uint8": 1, "bool": 1}


def manifest_of(folder: Path) -> Path:
    """The path of the manifest in a model's folder.

    Raises:
        UserError: there is no manifest.
    """
    for name in _MANIFESTS:
        if (folder / name).is_file():
            return folder / name
    why = folder_complaint(folder) or f"a folder with neither {' nor '.join(_MANIFESTS)}"
    raise UserError(f"{folder}: {why}")


def read(path: Path, skip: Skip) -> Contents:
    """Read the arrays of the manifest `path`; groups whose arrays are all skipped need no shards."""
    tensors: dict[str, np.ndarray] = {}
    with parsing(path, "TensorFlow.js manifest"):
        with open_regular(path) as file:
            manifest = parse_json(file.read(MOST_BYTES + 1))
        groups = manifest["weightsManifest"] if isinstance(manifest, dict) else manifest
        for group in groups:
            require_fields(group, weights=list, paths=list)
            for weight in group["weights"]:
                require_fields(weight, name=str, shape=list, dtype=str)
        require_distinct([weight["name"] for group in groups for weight in group["weights"]])
        for group in groups:
            if not all(skip(weight["name"]) for weight in group["weights"]):
                tensors |= _group(path, group, skip)
    return Contents(tensors)


def _group(path: Path, group: dict[str, Any], skip: Skip) -> dict[str, np.ndarray]:
    require_distinct(group["paths"])
    data = _shards(path, group["paths"])
    tensors = {}
    offset = 0
    for weight in group["weights"]:
        stored = weight.get("quantization", weight)["dtype"]
        end = offset + _ITEM_BYTES[stored] * math.prod(weight["shape"])
        if not skip(weight["name"]):
            if stored != "float32" or weight["dtype"] != "float32":
                raise UserError(f"{path}: {weight['name']} is quantized, which is not supported")
            if end > len(data):
                raise UserError(f"{path}: the shards of {weight['name']} are truncated")
            tensors[weight["name"]] = np.frombuffer(data[offset:end], "<f4").reshape(weight["shape"])
        offset = end
    return tensors


def _shards(path: Path, names: list[str]) -> bytes:
    data = b""
    for name in names:
        # A manifest from elsewhere must not name files outside its folder.
        if Path(name).name != name:
            raise UserError(f"{path}: refused: shard {name!r} is outside its folder")
        try:
            with open_regular(path.parent / name) as file:
                data += file.read(_MAX_SHARDS_BYTES + 1 - len(data))
        except OSError as error:
            raise UserError(f"{path}: shard {name} cannot be read: {error.strerror}") from error
    if len(data) > _MAX_SHARDS_BYTES:
        raise ValueError(f"its shards have more than {_MAX_SHARDS_BYTES} bytes")
    return data
