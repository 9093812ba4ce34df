"""Runs of `python -m nst_jax.run`, started and read as a user does."""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

CONFIG = "configs/gatys.py"


class FinishedRun(NamedTuple):
    """A run that ended, as its folder and its output tell."""

    folder: Path
    seconds: float  # of the whole command
    record: dict[str, Any]  # run.json
    metrics: list[dict[str, Any]]
    estimate: str  # of its memory, as printed

    def pixels(self) -> np.ndarray:
        """Return the result as (height, width, 3) bytes."""
        with Image.open(self.folder / "result.png") as image:
            return np.asarray(image)


def nst_run(
    folder: Path, *flags: str, environment: dict[str, str] | None = None, **fields: Any
) -> FinishedRun:
    """Run to the end in `folder`; `fields` are those of the config.

    Raises:
        RuntimeError: it failed, with its last line.
    """
    began = time.perf_counter()
    process = start(folder, *flags, environment=environment, **fields)
    output, errors = process.communicate()
    if process.returncode:
        lines = errors.strip().splitlines() or [f"exit status {process.returncode}"]
        raise RuntimeError(lines[-1])
    seconds = time.perf_counter() - began
    metrics = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    told = re.search(r"^estimate: (.*) of memory", output, re.MULTILINE)
    record = json.loads((folder / "run.json").read_text())
    return FinishedRun(folder, seconds, record, metrics, told.group(1) if told else "")


def start(
    folder: Path, *flags: str, environment: dict[str, str] | None = None, **fields: Any
) -> "subprocess.Popen[str]":
    """Start a run in `folder`."""
    settings = [f"--config.{name}={value}" for name, value in fields.items()]
    return subprocess.Popen(
        [sys.executable, "-m", "nst_jax.run", f"--config={CONFIG}", *settings, f"--workdir={folder}", *flags],
        env={**os.environ, **(environment or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def losses_at(run: FinishedRun) -> dict[int, float]:
    """Return the total loss by step."""
    return {line["step"]: line["total"] for line in run.metrics}
