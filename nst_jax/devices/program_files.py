"""Files of compiled programs: the code of each, and records of what is known of it without loading it.

A file that cannot be read or written, for whatever reason, is as good as none.
"""

import contextlib
import os
import pickle
import zlib
from pathlib import Path
from typing import Any, NamedTuple

import jax
from jax.experimental import serialize_executable

from nst_jax.files import write_bytes

MOST_FILES = 512  # those used last; one takes up to 2 MB


class Record(NamedTuple):
    """What is known of a program before it is loaded."""

    code: str  # name of its file
    result: Any  # structure of what it returns
    temporary_bytes: int  # memory besides its arguments and its result


def read_record(file: Path) -> Record | None:
    """Return the record in `file`, if there is one whose code is there as well."""
    with contextlib.suppress(Exception):
        record = Record(*pickle.loads(file.read_bytes()))
        for used in (file, file.parent / record.code):
            os.utime(used)
        return record
    return None


def load_code(file: Path, arguments: Any, result: Any) -> jax.stages.Compiled | None:
    """Return the program in `file`, if there is one; its `arguments` and `result` have these structures."""
    with contextlib.suppress(Exception):
        code, device = zlib.decompress(file.read_bytes()), jax.devices()[:1]
        return serialize_executable.deserialize_and_load(code, arguments, result, execution_devices=device)
    return None


def save_code(file: Path, program: jax.stages.Compiled) -> None:
    """Write the code of `program`, which must not have been loaded itself: it would lack parts then."""
    with contextlib.suppress(Exception):
        code, _, _ = serialize_executable.serialize(program)
        write_bytes(file, zlib.compress(code, level=1))


def save_record(file: Path, record: Record) -> None:
    """Write a record whose code is saved, and delete the files that were not used for longest."""
    with contextlib.suppress(Exception):
        write_bytes(file, pickle.dumps(tuple(record)))
        files = sorted(file.parent.iterdir(), key=lambda one: one.stat().st_mtime)
        for unused in files[:-MOST_FILES]:
            unused.unlink(missing_ok=True)
