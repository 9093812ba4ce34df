"""A run folder that another process writes."""

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from nst_jax.runs.checkpoint import Checkpoint
from nst_jax.runs.folder import RunFolder
from nst_jax.runs.metrics import Metrics


class UnwrittenFolder(RunFolder):
    """Takes everything and writes nothing."""

    def __init__(self, folder: RunFolder):
        """Stand for `folder`."""
        super().__init__(folder.path, folder.config)
        self.metrics = UnwrittenMetrics(self.metrics.path)

    def require_free(self) -> None:
        """Do nothing: the other process checks it."""

    def claimed(self) -> contextlib.AbstractContextManager[None]:
        """Hold nothing."""
        return contextlib.nullcontext()

    def begin(self) -> None:
        """Write nothing."""

    def save_settings(self) -> None:
        """Write nothing."""

    def begun(self) -> bool:
        """The other process knows."""
        return False

    def record(self) -> dict[str, Any]:
        """The other process knows."""
        return {}

    def save_checkpoint(self, checkpoint: Checkpoint, identity: str) -> None:
        """Write nothing."""

    def load_checkpoint(self, identity: str) -> None:
        """Return None: the other process reads it."""

    def save_snapshot(self, step: int, picture: np.ndarray) -> None:
        """Write nothing."""

    def save_result(self, picture: np.ndarray, run: Mapping[str, Any]) -> Path:
        """Write nothing."""
        return self.path / "result.png"


class UnwrittenMetrics(Metrics):
    """Takes lines and writes none."""

    def write(self, line: Mapping[str, Any]) -> None:
        """Write nothing."""

    def sync(self) -> None:
        """Wait for nothing."""

    def rewind(self, step: int) -> int:
        """Return -1: there are no lines."""
        return -1
