"""The run folder of a clip: its frames, the flow between them, what has been painted, and the film."""

import json
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from jaxtyping import Float32, UInt8
from PIL import Image

from nst_jax import files, images
from nst_jax.errors import UserError
from nst_jax.images.writing import to_bytes
from nst_jax.runs.metrics import Metrics
from nst_jax.storage.json_files import read_json

Frame = UInt8[np.ndarray, "h w 3"]
# Bytes per pixel of a PNG, and of a flow with its weights: the largest of three clips of 160 to 256 px.
PICTURE_BYTES, FLOW_BYTES = 2.4, 3.7
FLOW_SUFFIX = ".npz"
SPARE = 1.2  # of the space that is expected to be needed


class ClipFolder:
    """Files of a clip: content/, flow/, frames/ (after the last pass), clip.json, metrics.jsonl, result.*."""

    def __init__(self, path: Path):
        """Refer to the folder `path`; nothing is written yet."""
        self.path, self.metrics = path, Metrics(path / "metrics.jsonl")

    def content(self, frame: int) -> Path:
        """The file of a frame of the clip, from 0, at the size of the result."""
        return self.path / "content" / f"{frame:06d}.png"

    def painted(self, frame: int, number: int, last: bool) -> Path:
        """The file of a frame after pass `number`."""
        return self.path / ("frames" if last else f"passes/{number}") / f"{frame:06d}.png"

    def clip(self) -> dict[str, Any]:
        """Return clip.json: frames, fps, and the clip's sound; empty before all frames are there."""
        try:
            return read_json(self.path / "clip.json", frames=int, fps=float)
        except FileNotFoundError:
            return {}

    def unpack(self, frames: Iterable[Frame], size: int, about: dict[str, Any]) -> Iterator[int]:
        """Write the frames of a clip at `size` pixels, the longer side; yield how many are there."""
        count = 0
        for count, frame in enumerate(frames, 1):
            if not self.content(count - 1).exists():
                fitted = images.fit(floats(frame), size)
                write_frame(self.content(count - 1), to_bytes(fitted[0]))
            yield count
        files.write_json(self.path / "clip.json", {**about, "frames": count})

    def flow_file(self, frame: int, other: int) -> Path:
        """The file of the flow from a frame to another one."""
        return self.path / "flow" / f"{frame:06d}-{other:06d}{FLOW_SUFFIX}"

    def flow(self, frame: int, other: int) -> tuple[np.ndarray, np.ndarray] | None:
        """Return the flow from a frame to another one, and its weights, if they are there and whole."""
        try:
            with self.flow_file(frame, other).open("rb") as file, np.load(file) as saved:
                return saved["flow"].astype(np.float32), saved["weight"].astype(np.float32) / 255
        except (OSError, ValueError, KeyError, EOFError, BadZipFile):
            return None

    def save_flow(self, frame: int, other: int, flow: np.ndarray, weight: Float32[np.ndarray, "h w"]) -> None:
        """Keep the flow from a frame to another one, in half precision, and its weights in 8 bits."""
        with files.atomic(self.flow_file(frame, other)) as temporary, temporary.open("wb") as file:
            np.savez_compressed(file, flow=np.float16(flow), weight=np.uint8(np.rint(255 * weight)))

    def keep_whole_lines(self, picture_of: Callable[[dict[str, Any]], Path]) -> None:
        """Drop lines of frames whose picture is missing, and a torn last line."""
        lines = [line for line in self.metrics.read() if picture_of(line).exists()]
        files.write_text(self.metrics.path, "".join(json.dumps(line) + "\n" for line in lines))


def write_frame(path: Path, frame: Frame) -> None:
    """Write a PNG, quickly: there will be many."""
    with files.atomic(path) as temporary:
        Image.fromarray(frame).save(temporary, format="PNG", compress_level=1)


def read_frame(path: Path) -> Frame:
    """Return a frame that `write_frame` has written.

    Raises:
        UserError: it is missing or damaged.
    """
    try:
        with Image.open(path) as picture:
            return np.asarray(picture.convert("RGB"))
    except OSError as error:
        raise UserError(f"{path}: cannot be read; delete it and resume, and it is made again") from error


def floats(frame: Frame) -> Float32[np.ndarray, "1 h w 3"]:
    """Convert 0..255 to [0, 1]."""
    return frame[None].astype(np.float32) / 255


def require_space(path: Path, count: int, pixels: int, references: int, painted: int | float) -> int:
    """Return how many bytes the frames of a clip need on disk, each of them `painted` times on average.

    Raises:
        UserError: fewer are free.
    """
    needed = int(SPARE * count * pixels * (PICTURE_BYTES * (1 + painted) + FLOW_BYTES * references))
    existing = next(folder for folder in (path, *path.resolve().parents) if folder.exists())
    free = shutil.disk_usage(existing).free
    if needed > free:
        raise UserError(
            f"--workdir: {count} frames need about {needed / 2**30:.1f} GiB on disk, but {path} has "
            f"{free / 2**30:.1f} GiB left; reduce size, or set video.frames or video.every"
        )
    return needed
