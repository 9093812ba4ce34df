"""From what Python callers pass, pictures and keyword arguments, to the fields of a config."""

import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias, get_type_hints

import jax
import numpy as np
from PIL import Image, ImageOps

from nst_jax import files
from nst_jax.config import Config, from_dict
from nst_jax.config.named import read_config
from nst_jax.config.overriding import override
from nst_jax.errors import UserError

Picture: TypeAlias = str | os.PathLike[str] | Image.Image | np.ndarray | jax.Array
PICTURES = ("content", "style", "init")


def load_config(config: str | Config | Mapping[str, Any] = "quick", **fields: Any) -> Config:
    """Return a checked config, with `fields` changed.

    `config` is the name of a config that ships with the package, such as `quick`, `gatys:normalized` or
    `sweeps/gatys2015_fig3`, or the path of a config file, or a config itself. Nested fields are written with
    two underscores, `optimizer__steps=100`, or as a dict, `optimizer={"steps": 100}`, which changes only
    these fields of a section. A dict for a table such as `style_layers` replaces the whole table.

    Raises:
        UserError: there is no such config, or a field is unknown or invalid.
    """
    return from_dict(override(base_config(config), changes(fields)))


def base_config(config: str | Config | Mapping[str, Any]) -> Any:
    """Return the config of a file given by name or path, as a mapping; others as they are."""
    if isinstance(config, Config):
        return dataclasses.asdict(config)
    return read_config(config) if isinstance(config, str) else config


def changes(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return keyword arguments as changes by dotted name; see `load_config`."""
    hints = get_type_hints(Config)
    flat: dict[str, Any] = {}
    for keyword, value in fields.items():
        name = keyword.replace("__", ".")
        if isinstance(value, Mapping) and dataclasses.is_dataclass(hints.get(name)):
            flat |= {f"{name}.{inner}": item for inner, item in value.items()}
        else:
            flat[name] = value
    return flat


def saved_pictures(fields: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Return `fields` with paths in place of pictures in memory, which are written to `folder`.

    Raises:
        UserError: an array is not a picture; the message names its field.
    """
    return {name: _saved(name, value, folder) for name, value in fields.items()}


def _saved(field: str, value: Any, folder: Path) -> Any:
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if field not in PICTURES or not isinstance(value, Image.Image | np.ndarray | jax.Array):
        return value
    path = folder / f"{field}.png"
    with files.atomic(path) as temporary:
        _as_image(field, value).save(temporary, format="PNG")
    return str(path)


def _as_image(field: str, value: Image.Image | np.ndarray | jax.Array) -> Image.Image:
    """A picture that PNG can hold; its alpha channel and colour profile are applied when it is read."""
    if isinstance(value, Image.Image):
        upright = ImageOps.exif_transpose(value)
        return upright if upright.mode in ("RGB", "RGBA", "L", "LA", "P", "I;16") else upright.convert("RGB")
    array = np.asarray(value)
    shape, array = array.shape, array[0] if array.ndim == 4 and len(array) == 1 else array
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (3, 4)):
        raise UserError(f"{field}: an array of shape {shape} is not a picture; expected (h, w, 3)")
    if array.dtype == np.uint8:
        return Image.fromarray(array)
    if not (np.issubdtype(array.dtype, np.floating) and array.min() >= 0 and array.max() <= 1):
        expected = "expected uint8, or floats within [0, 1]"
        raise UserError(f"{field}: an array of {array.dtype} from {array.min()} to {array.max()}; {expected}")
    return Image.fromarray(np.rint(array.astype(np.float32) * 255).astype(np.uint8))
