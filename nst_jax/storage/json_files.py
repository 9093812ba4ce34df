"""JSON files that may have been edited, damaged, or written by somebody else."""

import json
import os
from typing import Any

from nst_jax.errors import UserError
from nst_jax.files import open_regular

MOST_BYTES = 1 << 27


def read_json(path: str | os.PathLike[str], **fields: type) -> dict[str, Any]:
    """Return the object in a JSON file, which must have `fields` of these types; it may have others.

    Raises:
        FileNotFoundError: the file does not exist.
        UserError: it cannot be read, or contains anything else.
    """
    try:
        with open_regular(path) as file:
            value = parse_json(file.read(MOST_BYTES + 1))
        require_fields(value, **fields)
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from error
    return value


def parse_json(data: bytes) -> Any:
    """Return the value that `data` encodes.

    Raises:
        ValueError: it is not JSON, too long, nested too deeply, or an object has two fields of one name.
    """
    if len(data) > MOST_BYTES:
        raise ValueError(f"longer than {MOST_BYTES} bytes")
    if not data.strip(b"\0 \n\r\t"):
        raise ValueError("it is empty")
    try:
        return json.loads(data, object_pairs_hook=_unique)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def require_fields(value: Any, **fields: type) -> None:
    """Check that `value`, parsed from JSON, is an object with `fields` of these types.

    Raises:
        ValueError: it is not, or a field is missing or has another type.
    """
    if not isinstance(value, dict):
        raise ValueError(f"expected an object, found {type(value).__name__}")
    for name, expected in fields.items():
        if name not in value:
            raise ValueError(f"{name} is missing")
        # A whole number may be written without a point.
        if not isinstance(value[name], (expected, int) if expected is float else expected):
            raise ValueError(f"{name} is {type(value[name]).__name__}, not {expected.__name__}")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"{next(name for name in names if names.count(name) > 1)!r} occurs twice")
    return values
