"""Safetensors files, including our canonical ones: a JSON header, then the raw bytes."""

import dataclasses
import json
import os
from pathlib import Path

import numpy as np
from safetensors import safe_open

from nst_jax.errors import UserError
from nst_jax.files import open_regular, write_safetensors
from nst_jax.networks.trained import Preprocessing, Weights
from nst_jax.storage.json_files import parse_json
from nst_jax.weights.readers.contents import Contents, Skip, parsing

FORMAT = "nst_jax.weights"
VERSION = "1"


def is_safetensors(head: bytes) -> bool:
    """Whether a file starting with `head` is safetensors: a small 64-bit length, then a JSON object."""
    # No header of names and shapes takes 128 MiB, which a false length could claim.
    return len(head) > 8 and head[8:9] == b"{" and int.from_bytes(head[:8], "little") < 1 << 27


def read(path: Path, skip: Skip) -> Contents:
    """Read every tensor except those to `skip`, and the metadata if it is one of our canonical files."""
    with parsing(path, "safetensors file"):
        with open_regular(path) as raw:  # refuses two tensors of one name; the library would take the last
            parse_json(raw.read(int.from_bytes(raw.read(8), "little")))
        with safe_open(path, framework="np") as file:
            names = [name for name in file.keys() if not skip(name)]  # noqa: SIM118
            tensors = {name: np.asarray(file.get_tensor(name)) for name in names}
            metadata = file.metadata() or {}
    if metadata.get("format") != FORMAT:
        return Contents(tensors)
    if metadata.get("version") != VERSION:
        raise UserError(f"{path}: format version is {metadata.get('version')!r}; supported: {VERSION}")
    return Contents(tensors, _preprocessing(path, metadata), metadata.get("arch"))


def save(path: str | os.PathLike[str], weights: Weights, source: str) -> None:
    """Write `weights` atomically as a canonical file; `source` records where they come from."""
    metadata = {
        "format": FORMAT,
        "version": VERSION,
        "arch": weights.arch,
        "preprocessing": json.dumps(dataclasses.asdict(weights.preprocessing)),
        "source": source,
    }
    write_safetensors(path, weights.arrays, metadata)


def _preprocessing(path: Path, metadata: dict[str, str]) -> Preprocessing:
    with parsing(path, "file of weights: its preprocessing is invalid"):
        fields = parse_json(metadata["preprocessing"].encode())
        mean, std = _triple(fields["mean"]), _triple(fields["std"])
        if (order := fields["channels"]) not in ("rgb", "bgr"):
            raise ValueError(f"channels {order!r}")
        return Preprocessing(order, float(fields["scale"]), mean, std)


def _triple(values: list[float]) -> tuple[float, float, float]:
    first, second, third = (float(value) for value in values)
    return first, second, third
