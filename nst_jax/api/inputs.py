"""From what Python callers pass, pictures and keyword arguments, to the fields of a config."""

import contextlib
import dataclasses
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias, get_type_hints

import jax
import numpy as np
import tifffile
from jaxtyping import Float32
from PIL import Image

from nst_jax import files
from nst_jax.config import Config, from_dict
from nst_jax.config.named import read_config
from nst_jax.config.overriding import override
from nst_jax.errors import UserError
from nst_jax.images.modes import samples_to_floats, to_floats
from nst_jax.images.orientation import upright
from nst_jax.images.reading import orientation_of
from nst_jax.images.tiff import Samples
from nst_jax.images.writing import to_bytes

Picture: TypeAlias = str | os.PathLike[str] | Image.Image | np.ndarray | jax.Array
PICTURES = ("content", "style", "init")
_WHOLE_TYPES = ("bool", "uint8", "uint16")
_EXPECTED = "expected uint8, uint16, bool, or floats within [0, 1]"


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
        UserError: a value is not a picture; the message names its field.
    """
    located = {name: _located(name, value, folder) for name, value in fields.items() if name in PICTURES}
    return {
        name: os.fspath(value) if isinstance(value, os.PathLike) else value for name, value in fields.items()
    } | located


def _located(field: str, value: Any, folder: Path) -> str:
    """The path of a picture."""
    if isinstance(value, str | os.PathLike):
        return os.fspath(value)
    if not isinstance(value, Image.Image | np.ndarray | jax.Array):
        expected = "expected a path, a PIL image or an array"
        raise UserError(f"{field}: {value!r} of type {type(value).__name__} is not a picture; {expected}")
    try:
        if isinstance(value, Image.Image):
            pixels = upright(to_floats(value, field), orientation_of(value))
        else:
            pixels = _array_pixels(value, field)
    except (OSError, ValueError, SyntaxError) as error:
        raise error if isinstance(error, UserError) else UserError(f"{field}: {error}") from error
    # PNG where 8 bits are exact: it is smaller, and opens everywhere.
    rounded = to_bytes(pixels)
    is_exact = np.array_equal(rounded.astype(np.float32) / 255, pixels)
    path = folder / f"{field}.{'png' if is_exact else 'tif'}"
    with files.atomic(path) as temporary:
        if is_exact:
            Image.fromarray(rounded).save(temporary, format="PNG")
        else:
            tifffile.imwrite(temporary, pixels, photometric="rgb", compression="zlib")
    return str(path)


@contextlib.contextmanager
def dropped_unless(begun: Path, inputs: Path) -> Iterator[None]:
    """Remove the folder `inputs` if the block makes it, and is refused before it writes the file `begun`."""
    is_new = not inputs.exists()
    try:
        yield
    except UserError:
        if is_new and not begun.exists():
            shutil.rmtree(inputs, ignore_errors=True)
        raise


def _array_pixels(value: np.ndarray | jax.Array, field: str) -> Float32[np.ndarray, "h w 3"]:
    """An array as sRGB; the fourth channel is alpha."""
    array = np.asarray(value)
    if jax.dtypes.issubdtype(array.dtype, np.floating) and array.dtype.kind != "f":  # such as bfloat16
        array = array.astype(np.float32)
    shape, array = array.shape, array[0] if array.ndim == 4 and len(array) == 1 else array
    array = array[..., np.newaxis] if array.ndim == 2 else array
    if array.ndim != 3 or array.shape[2] not in (1, 3, 4) or not array.size:
        raise UserError(f"{field}: an array of shape {shape} is not a picture; expected (h, w, 3)")
    is_float = array.dtype.kind == "f"
    if array.dtype.name not in _WHOLE_TYPES and not is_float:
        raise UserError(f"{field}: an array of {array.dtype} is not a picture; {_EXPECTED}")
    if is_float and not (array.min() >= 0 and array.max() <= 1):  # nor not-a-number
        raise UserError(
            f"{field}: an array of {array.dtype} from {array.min()} to {array.max()}; {_EXPECTED}"
        )
    alpha = array[..., 3:] if array.shape[2] == 4 else None
    return samples_to_floats(Samples(array[..., :3], alpha), field)
