"""Safetensors files, including our canonical ones: a JSON header, then the raw bytes."""

import dataclasses
import json
import os
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from nst_jax.errors import UserError
from nst_jax.files import atomic
from nst_jax.networks.trained import Preprocessing, Weights
from nst_jax.weights.readers.contents import Contents, Skip

FORMAT = "nst_jax.weights"
VERSION = "1"


def is_safetensors(head: bytes) -> bool:
    """Whether a file starting with `head` is safetensors: a small 64-bit length, then a JSON object."""
    return len(head) > 8 and head[8:9] == b"{" and int.from_bytes(head[:8], "little") < 1 << 27


def read(path: Path, skip: Skip) -> Contents:
    """Read every tensor except those to `skip`, and the metadata if it is one of our canonical files."""
    try:
        with safe_open(path, framework="np") as file:
            names = [name for name in file.keys() if not skip(name)]  # noqa: SIM118
            tensors = {name: np.asarray(file.get_tensor(name)) for name in names}
            metadata = file.metadata() or {}
    except (SafetensorError, TypeError, ValueError) as error:
        raise UserError(f"{path}: not a valid safetensors file: {error}") from error
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
    with atomic(path) as temporary:
        save_file(dict(weights.arrays), temporary, metadata)


def _preprocessing(path: Path, metadata: dict[str, str]) -> Preprocessing:
    try:
        fields = json.loads(metadata["preprocessing"])
        mean, std = _triple(fields["mean"]), _triple(fields["std"])
        return Preprocessing(_channels(fields["channels"]), float(fields["scale"]), mean, std)
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path}: its preprocessing is invalid: {error!r}") from error


def _channels(order: str) -> str:
    if order not in ("rgb", "bgr"):
        raise ValueError(f"channels {order!r}")
    return order


def _triple(values: list[float]) -> tuple[float, float, float]:
    first, second, third = (float(value) for value in values)
    return first, second, third
