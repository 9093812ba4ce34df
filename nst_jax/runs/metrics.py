"""metrics.jsonl: what the losses of a run were, step by step."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nst_jax import files


class Metrics:
    """A file with one line of JSON per logged step; each line is appended whole."""

    def __init__(self, path: Path):
        """Name the file; the first `write` makes it."""
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
        """Drop the lines after `step`, and a last line cut short; returns the last step kept, or -1."""
        kept = [line for line in self.read() if line["step"] <= step]
        files.write_bytes(self.path, "".join(json.dumps(line) + "\n" for line in kept).encode())
        return kept[-1]["step"] if kept else -1

    def read(self) -> list[dict[str, Any]]:
        """All whole lines; none if the file is missing."""
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
    """One line: where a run stands, then the sums, then each layer's term."""
    order = sorted(terms, key=lambda name: ("/" in name, name != "total"))  # jitted dicts come sorted by name
    about = {"step": step, "evaluations": evaluations, "seconds": round(seconds, 3), "scale": scale}
    return about | {name: terms[name] for name in order}
