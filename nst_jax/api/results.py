"""What the Python API returns."""

import dataclasses
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from absl import logging
from PIL import Image

from nst_jax import files, images
from nst_jax.config import Config, from_dict
from nst_jax.errors import UserError
from nst_jax.images.writing import to_bytes
from nst_jax.runs.folder import RunFolder, read_run, read_settings, text_chunks
from nst_jax.transfer.job import Outcome, run_record


@dataclasses.dataclass(frozen=True, repr=False)
class Result:
    """A finished style transfer; it shows itself in a notebook.

    `array` is the picture, float32 of shape `1 h w 3` in [0, 1]. `metrics` are the lines of metrics.jsonl: a
    dict per logged step with `step`, `evaluations`, `seconds`, `total`, and each loss term. `record` is what
    run.json holds: status, network, versions, device, seconds.
    """

    array: np.ndarray
    config: Config
    metrics: list[dict[str, Any]]
    record: dict[str, Any]

    @property
    def image(self) -> Image.Image:
        """The picture, 8 bits per channel."""
        return Image.fromarray(to_bytes(self.array[0]))

    @property
    def status(self) -> str:
        """`done`; `diverged` if the loss did not stay finite, with the best picture before; `stalled` if no
        step lowered it.
        """
        return self.record["status"]

    def save(self, path: str | Path) -> None:
        """Write the picture; a PNG also holds the settings, as result.png of a run folder does.

        PNG and TIFF have 16 bits per colour if the config's `output` has; other formats have 8, which is
        mentioned.

        Raises:
            UserError: the suffix is not that of a picture format, or the file cannot be written.
        """
        target, is_deep = Path(path), self.config.output != "png8"
        kind, text = picture_format(target, "save"), text_chunks(self.config, self.record)
        if is_deep and kind in ("PNG", "TIFF"):
            images.write_deep(target, self.array, text)
        elif kind == "PNG":
            images.write(target, self.array, text)
        else:
            if is_deep:
                logging.warning(
                    "save: %s gets 8 bits per colour; .png and .tif hold those of %s",
                    target,
                    self.config.output,
                )
            # Pillow's default quality for JPEG, 75, shows blocks in flat areas.
            with files.atomic(target) as temporary:
                self.image.save(temporary, format=kind, quality=95)

    def __repr__(self) -> str:
        height, width = self.array.shape[1:3]
        return f"Result({width} x {height}, {self.status}, {self.record['steps']} steps)"

    def _repr_png_(self) -> bytes:
        return png_bytes(self.image)


@dataclasses.dataclass(frozen=True, repr=False)
class Snapshot:
    """A picture while it is painted; `metrics` is the line that was logged for it.

    The last one has the `result`; the others have None.
    """

    step: int
    steps: int  # of the whole run
    image: Image.Image
    metrics: dict[str, Any]
    result: Result | None = None

    def __repr__(self) -> str:
        return f"Snapshot(step {self.step} of {self.steps}, total {self.metrics['total']:.4g})"

    def _repr_png_(self) -> bytes:
        return png_bytes(self.image)


@dataclasses.dataclass(frozen=True, repr=False)
class SweepResult:
    """A finished sweep: its results in order, by number or by labels; a notebook shows its sheet.

    `table` has a dict per run: swept fields, final losses, and distances measured alike for all runs.
    """

    results: dict[tuple[str, ...], Result]
    sheet: Image.Image
    table: list[dict[str, str]]
    compilations: int  # step programs: one per scale and group of runs with the same shapes and network

    def __getitem__(self, key: int | tuple[str, ...]) -> Result:
        """Return a result by its number, or by its labels such as `("seed=0",)`."""
        return list(self.results.values())[key] if isinstance(key, int) else self.results[key]

    def __iter__(self) -> Iterator[Result]:
        return iter(self.results.values())

    def __len__(self) -> int:
        return len(self.results)

    def __repr__(self) -> str:
        return f"SweepResult({len(self)} runs: {', '.join(' '.join(labels) for labels in self.results)})"

    def _repr_png_(self) -> bytes:
        return png_bytes(self.sheet)


def picture_format(path: Path, field: str) -> str:
    """Return the name that Pillow has for the format of a file to write, by its suffix.

    Raises:
        UserError: it can write no such format; the message begins with `field`.
    """
    Image.init()
    kind = Image.registered_extensions().get(path.suffix.lower(), "")
    if kind not in Image.SAVE:
        raise UserError(f"{field}: {path} has no suffix of a picture format, such as .png or .jpg")
    return kind


def load_result(folder: str | Path) -> Result:
    """Return the result in a run folder.

    Raises:
        UserError: the folder holds no run that has ended, or a file in it is damaged.
    """
    config = from_dict(read_settings(folder))
    run = RunFolder(folder, config)
    picture = images.read(str(run.result), smallest=1, say=False)
    return Result(picture, config, run.metrics.read(), read_run(folder))


def made_result(job: Any, outcome: Outcome, metrics: Sequence[dict[str, Any]]) -> Result:
    """Return the result of a job that has just ended, with its exact picture."""
    return Result(outcome.image, job.config, list(metrics), run_record(job, outcome))


def png_bytes(image: Image.Image) -> bytes:
    """Return `image` as a PNG file."""
    content = io.BytesIO()
    image.save(content, format="PNG")
    return content.getvalue()
