"""metrics.jsonl: the losses of a run, step by step."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nst_jax import files


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
            with self.path.open("a") as file:
                file.write(json.dumps(line) + "\n")
        except OSError as error:
            raise files.cannot_write(self.path, error) from error

    def rewind(self, step: int) -> int:
        """Drop lines after `step` and an incomplete last line; return the last step that is left, or -1."""
        lines = [line for line in self.read() if line["step"] <= step]
        files.write_bytes(self.path, "".join(json.dumps(line) + "\n" for line in lines).encode())
        return lines[-1]["step"] if lines else -1

    def read(self) -> list[dict[str, Any]]:
        """Return all complete lines; empty if the file is missing."""
        if not self.path.exists():
            return []
        return [
            json.loads(line)
            for line in self.path.read_text().splitlines(keepends=True)
            if line.endswith("\n")
        ]


def metrics_line(
    step: int, evaluations: int, seconds: float, scale: float, terms: Mapping[str, float]
) -> dict[str, Any]:
    """Return one line: the position of the run, then the totals, then each layer's term."""
    order = sorted(terms, key=lambda name: ("/" in name, name != "total"))  # jit returns dicts sorted by key
    position = {"step": step, "evaluations": evaluations, "seconds": round(seconds, 3), "scale": scale}
    return position | {name: terms[name] for name in order}
