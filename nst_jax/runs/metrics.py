"""metrics.jsonl: the losses of a run, step by step."""

import errno
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nst_jax import files
from nst_jax.errors import UserError
from nst_jax.storage.json_files import parse_json, require_fields

POSITION = ("step", "evaluations", "seconds", "scale")  # keys of a line; the others are losses


class Metrics:
    """A file with one line of JSON per logged step; lines are appended whole."""

    def __init__(self, path: Path):
        """Refer to the file `path`; the first `write` creates it."""
        self.path = path

    def write(self, line: Mapping[str, Any]) -> None:
        """Append one line.

        Raises:
            UserError: the disk is full, or the folder cannot be written.
        """
        try:
            with self.path.open("a", encoding="utf-8", newline="\n") as file:
                file.write(json.dumps(line) + "\n")
        except OSError as error:
            raise files.cannot_write(self.path, error) from error

    def sync(self) -> None:
        """Wait until all lines are on disk.

        Raises:
            UserError: the disk is full.
        """
        if self.path.exists():
            try:
                files.flush(self.path)
            except OSError as error:
                if error.errno == errno.EINVAL:
                    return  # not a regular file
                raise files.cannot_write(self.path, error) from error

    def rewind(self, step: int) -> int:
        """Drop lines after `step` and an incomplete last line; return the last step that is left, or -1."""
        lines = [line for line in self.read() if line["step"] <= step]
        files.write_text(self.path, "".join(json.dumps(line) + "\n" for line in lines))
        return lines[-1]["step"] if lines else -1

    def read(self) -> list[dict[str, Any]]:
        """Return all lines except an incomplete last one; empty if the file is missing.

        Raises:
            UserError: the file cannot be read, or an earlier line is damaged.
        """
        try:
            with files.open_regular(self.path) as file:
                lines = file.read().splitlines(keepends=True)
        except FileNotFoundError:
            return []
        except OSError as error:
            raise UserError(f"{self.path}: cannot be read: {error.strerror}") from error
        return [
            line for number, text in enumerate(lines, 1) if (line := self._parse(text, number, len(lines)))
        ]

    def _parse(self, text: bytes, number: int, last: int) -> dict[str, Any] | None:
        try:
            line = parse_json(text)
            require_fields(line, step=int)
        except ValueError as error:
            if number == last:
                return None
            raise UserError(f"{self.path}: line {number} is damaged: {error}") from error
        return line if text.endswith(b"\n") else None


def metrics_line(
    step: int, evaluations: int, seconds: float, scale: float, terms: Mapping[str, float]
) -> dict[str, Any]:
    """Return one line: the position of the run, then the totals, then each layer's term."""
    order = sorted(terms, key=lambda name: ("/" in name, name != "total"))  # jit returns dicts sorted by key
    position = dict(zip(POSITION, (step, evaluations, round(seconds, 3), scale), strict=True))
    return position | {name: terms[name] for name in order}
