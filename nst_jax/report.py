"""What a run tells: the metrics file, the progress bar, and figures in words."""

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tqdm import tqdm

from nst_jax import files


class Metrics:
    """metrics.jsonl: a line of JSON per logged step, appended whole."""

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
        """Drop the lines after `step`, and a last line cut short; the last step kept, or -1, is returned."""
        kept = [line for line in self.read() if line["step"] <= step]
        files.write_bytes(self.path, "".join(json.dumps(line) + "\n" for line in kept).encode())
        return kept[-1]["step"] if kept else -1

    def read(self) -> list[dict[str, Any]]:
        """All whole lines; none where the file is missing."""
        if not self.path.exists():
            return []
        return [
            json.loads(line)
            for line in self.path.read_text().splitlines(keepends=True)
            if line.endswith("\n")
        ]


class Progress:
    """A bar over the steps of a run, with the loss, the time left and evaluations per second."""

    def __init__(self, steps: int):
        """Show a bar of `steps`."""
        self.bar = tqdm(total=steps, unit="step", dynamic_ncols=True)
        self._first: tuple[float, int] | None = None

    def update(self, step: int, loss: float, evaluations: int) -> None:
        """Move to `step`; rates count from the first call, so that compiling does not spoil them."""
        now = time.monotonic()
        if self._first is None:
            self._first = now, evaluations
            self.bar.initial = step
            self.bar.unpause()
        began, first = self._first
        rate = (evaluations - first) / (now - began) if now > began else 0.0
        self.bar.set_postfix_str(f"loss {loss:.4g}, {rate:.2f} evaluations/s", refresh=False)
        self.bar.update(step - self.bar.n)

    def close(self) -> None:
        """Leave the bar as it is."""
        self.bar.close()


def duration(seconds: float) -> str:
    """`95` -> '1 min 35 s'; under ten seconds with one decimal."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"


def size(count: float) -> str:
    """Bytes in words: `3_221_225_472` -> '3.0 GiB'."""
    for unit in ("B", "KiB", "MiB"):
        if count < 1024:
            return f"{count:.0f} {unit}"
        count /= 1024
    return f"{count:.1f} GiB"
