"""Export of activations: the maximum of every unit in every image, as an .npz file.

The rows of the images are appended to a plain file during the search, so memory stays constant and a search
can resume. At the end they become the .npz file.
"""

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np

from nst_jax import files
from nst_jax.errors import UserError
from nst_jax.vision.searching.top_patches import Strongest

INDEX = "index"  # of the image in the stream


class MaximaFile:
    """Rows of maxima, one per image, in a file that outlives the process."""

    def __init__(self, path: Path, units: Mapping[str, int], images: int):
        """Keep the rows of the first `images` in the file; `units` is the number of units by layer.

        Raises:
            UserError: the file cannot be written, or holds fewer rows.
        """
        self.path = path
        self.dtype = np.dtype([(INDEX, "i4"), *((layer, "f4", (width,)) for layer, width in units.items())])
        needed = images * self.dtype.itemsize
        if images and not (path.is_file() and path.stat().st_size >= needed):
            raise UserError(f"{path}: is missing or incomplete; the search cannot resume with export")
        with self._opened("r+b" if images else "wb") as file:
            # Rows after the checkpoint are searched, and appended, again.
            file.truncate(needed)

    def append(self, found: Mapping[str, Strongest], images: int) -> None:
        """Write the maxima of a batch, of which the first `images` rows are images.

        Raises:
            UserError: the file cannot be written.
        """
        rows = np.empty(images, self.dtype)
        rows[INDEX] = np.asarray(next(iter(found.values())).image)[0, :images]
        for layer, strongest in found.items():
            rows[layer] = np.asarray(strongest.activation)[:, :images].T
        with self._opened("ab") as file:
            file.write(rows.tobytes())

    def append_file(self, path: Path) -> None:
        """Append the rows of another file.

        Raises:
            UserError: a file cannot be read or written.
        """
        with self._opened("ab") as file, path.open("rb") as rows:
            shutil.copyfileobj(rows, file)

    def flush(self) -> None:
        """Wait until all rows are on the disk.

        Raises:
            UserError: the disk is full.
        """
        with self._opened("r+b") as file:
            # A checkpoint that counts these rows is written next, and must not outlive them.
            os.fsync(file.fileno())

    @contextlib.contextmanager
    def _opened(self, mode: str) -> Iterator[IO[bytes]]:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open(mode) as file:
                yield file
        except OSError as error:
            raise files.cannot_write(self.path, error) from error

    def write_npz(self, path: Path, name: Callable[[int], str], label: Callable[[int], str | None]) -> None:
        """Write an .npz file: "images units" by layer, `images` (names) and, if there are some, `labels`.

        Raises:
            UserError: the file cannot be written.
        """
        self.flush()
        rows = np.memmap(self.path, self.dtype, "r")
        numbers = rows[INDEX].tolist()
        labels = [label(number) for number in numbers]
        arrays: dict[str, Any] = {"images": np.array([name(number) for number in numbers])}
        if any(each is not None for each in labels):
            arrays["labels"] = np.array([each or "" for each in labels])
        arrays |= {layer: rows[layer] for layer in self.dtype.names or () if layer != INDEX}
        with files.atomic(path) as temporary, temporary.open("wb") as file:
            np.savez(file, **arrays)

    def delete(self) -> None:
        """Delete the file."""
        self.path.unlink(missing_ok=True)
