"""What a run tells: metrics file, progress bar, figures in words, contact sheets."""

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from tqdm import tqdm

from nst_jax import files, images

LABEL_SIZE, MARGIN = 16, 6  # of contact sheets, pixels


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


def contact_sheet(panels: Sequence[Sequence[tuple[str, np.ndarray]]], height: int = 256) -> np.ndarray:
    """Rows of (label, picture) as one picture "1 h w 3", each `height` pixels high under its label."""
    rows = [[_panel(label, picture, height) for label, picture in row] for row in panels]
    width = max(sum(panel.width + MARGIN for panel in row) for row in rows) + MARGIN
    sheet = Image.new("RGB", (width, sum(row[0].height + MARGIN for row in rows) + MARGIN), "white")
    y = MARGIN
    for row in rows:
        x = MARGIN
        for panel in row:
            sheet.paste(panel, (x, y))
            x += panel.width + MARGIN
        y += row[0].height + MARGIN
    return np.asarray(sheet, np.float32)[None] / 255


def _panel(label: str, picture: np.ndarray, height: int) -> Image.Image:
    shown = images.resize(picture, height, max(1, round(height * picture.shape[2] / picture.shape[1])))
    font = ImageFont.load_default(LABEL_SIZE)
    panel = Image.new("RGB", (shown.shape[2], height + LABEL_SIZE + MARGIN), "white")
    ImageDraw.Draw(panel).text((0, 0), label, "black", font)
    panel.paste(Image.fromarray(np.uint8(shown[0] * 255 + 0.5)), (0, LABEL_SIZE + MARGIN))
    return panel
