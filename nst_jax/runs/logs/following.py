"""Logs for other programs, made from the run folder while a run or a sweep writes it."""

import contextlib
import importlib.util
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from absl import flags, logging
from PIL import Image

from nst_jax.config import flat, from_dict
from nst_jax.errors import UserError, one_line
from nst_jax.runs.folder import read_settings
from nst_jax.runs.logs.log import Writer
from nst_jax.runs.logs.mlflow_log import MLFLOW
from nst_jax.runs.logs.tensorboard_log import TENSORBOARD
from nst_jax.runs.logs.wandb_log import WANDB
from nst_jax.runs.metrics import POSITION, Metrics

LOGS = {"tensorboard": TENSORBOARD, "wandb": WANDB, "mlflow": MLFLOW}
INTERVAL = 2.0  # seconds between two looks at the folder
NOT_CURVES = {*POSITION} - {"evaluations"}  # keys of a line


def define_log(values: flags.FlagValues) -> None:
    """Add the flag `--log` to `values`."""
    help_text = "also write losses and pictures for this program (requires the extra of the same name)"
    flags.DEFINE_enum("log", None, [*LOGS], help_text, flag_values=values)


@contextlib.contextmanager
def logged(values: flags.FlagValues, folder: Path) -> Iterator[None]:
    """While the block runs, and once more at its end, write the log that `--log` asks for.

    Raises:
        UserError: its package is not installed; nothing has been written.
    """
    if values.log is None:
        yield
        return
    if importlib.util.find_spec(LOGS[values.log].package) is None:
        package = LOGS[values.log].package
        raise UserError(f"--log: {values.log} requires a package: pip install {package}")
    log, ended = FolderLog(values.log, folder), threading.Event()

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


class FolderLog:
    """The log of the run in a folder, or of the runs of a sweep in its subfolders."""

    def __init__(self, name: str, folder: Path):
        """Follow `folder`; what it holds already was logged by an earlier process, if its log has begun."""
        self._name, self._log, self._folder = name, LOGS[name], folder
        self._failed = False
        self._writers: dict[Path, Writer] = {}
        self._last: dict[Path, int] = {}  # step of the last line that was logged
        self._drawn: set[Path] = set()
        for run in self._runs():
            if self._log.begun(run):
                self._last[run] = max((line["step"] for line in _lines(run)), default=-1)
                self._drawn |= set(_snapshots(run))

    def update(self) -> None:
        """Write everything that is new in the folder; after a failure, which is logged, nothing more."""
        if self._failed:
            return
        try:
            self._update()
        except Exception as error:  # of another program, or of its server: the run itself goes on
            self._failed = True
            logging.warning("--log: %s fails, and is no longer written: %s", self._name, one_line(error))

    def _update(self) -> None:
        for run in self._runs():
            for line in _lines(run):
                if line["step"] > self._last.get(run, -1):
                    self._last[run] = line["step"]
                    values = {name: line[name] for name in line if name not in NOT_CURVES}
                    self._writer(run).curves(line["step"], values)
            for file in _snapshots(run):
                if file not in self._drawn:
                    self._drawn.add(file)
                    step = int(file.stem) if file.stem.isdigit() else self._last.get(run, 0)
                    with Image.open(file) as picture:
                        pixels = np.asarray(picture.convert("RGB"))
                    name = "picture" if file.stem.isdigit() else "result"
                    self._writer(run).picture(step, name, pixels)
            if run in self._writers:
                self._writers[run].flush()

    def close(self) -> None:
        """Close the logs of all runs."""
        for writer in self._writers.values():
            # After a failure, which was logged, what can be closed is.
            with contextlib.suppress(Exception) if self._failed else contextlib.nullcontext():
                writer.close()

    def _runs(self) -> list[Path]:
        files = [self._folder / "metrics.jsonl", *self._folder.glob("*/metrics.jsonl")]
        return sorted(file.parent for file in files if file.is_file())

    def _writer(self, run: Path) -> Writer:
        if run not in self._writers:
            self._writers[run] = self._log.start(run, flat(from_dict(read_settings(run))))
        return self._writers[run]


def _lines(run: Path) -> list[dict[str, Any]]:
    return Metrics(run / "metrics.jsonl").read()


def _snapshots(run: Path) -> list[Path]:
    result = run / "result.png"
    return [*sorted((run / "progress").glob("*.png")), *([result] if result.is_file() else [])]
