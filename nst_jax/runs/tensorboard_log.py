"""TensorBoard events beside metrics.jsonl, made from the run folder while a run or a sweep writes it."""

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from absl import flags
from PIL import Image

from nst_jax.errors import UserError
from nst_jax.runs.metrics import POSITION, Metrics

LOGS = ("tensorboard",)
INTERVAL = 2.0  # seconds between two looks at the folder
NOT_CURVES = {*POSITION} - {"evaluations"}  # keys of a line


def define_log(values: flags.FlagValues) -> None:
    """Add the flag `--log` to `values`."""
    help_text = "also write losses and pictures for this program (requires the extra of the same name)"
    flags.DEFINE_enum("log", None, LOGS, help_text, flag_values=values)


@contextlib.contextmanager
def logged(values: flags.FlagValues, folder: Path) -> Iterator[None]:
    """While the block runs, and once more at its end, write events if `--log` asks for them.

    Raises:
        UserError: the package is not installed; nothing has been written.
    """
    if values.log is None:
        yield
        return
    log, ended = TensorBoardLog(folder), threading.Event()

    def follow() -> None:
        while not ended.wait(INTERVAL):
            log.update()

    # A daemon: it must not keep a process alive whose run has failed.
    thread = threading.Thread(target=follow, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        log.update()
        log.close()


class TensorBoardLog:
    """Events of the run in a folder, or of the runs of a sweep in its subfolders."""

    def __init__(self, folder: Path):
        """Follow `folder`; what it holds already was logged by an earlier process, if there are events.

        Raises:
            UserError: the package tensorboardX is not installed.
        """
        try:
            from tensorboardX import SummaryWriter
        except ModuleNotFoundError as error:
            raise UserError("--log: tensorboard requires a package: pip install tensorboardX") from error
        self._new_writer = SummaryWriter
        self._folder = folder
        self._writers: dict[Path, Any] = {}
        self._last: dict[Path, int] = {}  # step of the last line that was logged
        self._drawn: set[Path] = set()
        for run in self._runs():
            if any(run.glob("events.out.tfevents.*")):
                self._last[run] = max((line["step"] for line in _lines(run)), default=-1)
                self._drawn |= set(_snapshots(run))

    def update(self) -> None:
        """Write events for everything that is new in the folder."""
        for run in self._runs():
            for line in _lines(run):
                if line["step"] > self._last.get(run, -1):
                    self._last[run] = line["step"]
                    for name in line.keys() - NOT_CURVES:
                        self._writer(run).add_scalar(name, line[name], line["step"])
            for file in _snapshots(run):
                if file not in self._drawn:
                    self._drawn.add(file)
                    step = int(file.stem) if file.stem.isdigit() else self._last.get(run, 0)
                    tag = "picture" if file.stem.isdigit() else "result"
                    with Image.open(file) as picture:
                        pixels = np.asarray(picture.convert("RGB"))
                    self._writer(run).add_image(tag, pixels, step, dataformats="HWC")
            if run in self._writers:
                self._writers[run].flush()

    def close(self) -> None:
        """Close the files."""
        for writer in self._writers.values():
            writer.close()

    def _runs(self) -> list[Path]:
        files = [self._folder / "metrics.jsonl", *self._folder.glob("*/metrics.jsonl")]
        return sorted(file.parent for file in files if file.is_file())

    def _writer(self, run: Path) -> Any:
        if run not in self._writers:
            self._writers[run] = self._new_writer(str(run))
        return self._writers[run]


def _lines(run: Path) -> list[dict[str, Any]]:
    return Metrics(run / "metrics.jsonl").read()


def _snapshots(run: Path) -> list[Path]:
    result = run / "result.png"
    return [*sorted((run / "progress").glob("*.png")), *([result] if result.is_file() else [])]
