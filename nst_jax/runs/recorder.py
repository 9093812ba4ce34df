"""Records runs that are painted together: metrics, snapshots, checkpoints, results."""

import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from nst_jax.runs.checkpoint import Checkpoint
from nst_jax.runs.folder import RunFolder
from nst_jax.runs.metrics import metrics_line

# The next checkpoint is due after this many times the duration of the last one, so they cost at most 5 %.
CHECKPOINT_SPACING = 20


class Recorder:
    """Records one or more runs that share a clock, each into its own folder."""

    def __init__(
        self,
        folders: Sequence[RunFolder],
        identities: Sequence[str],
        reported: Sequence[Collection[str]],
        saved: Mapping[int, Checkpoint],
    ):
        """Create the folders that hold no run yet; the others keep their metrics only if they are in `saved`.

        Folders that another process writes are left alone.

        `identities` are digests of each run's inputs, for its checkpoint. `reported` holds the layer terms
        that each run logs; totals are always logged.

        Raises:
            UserError: a folder cannot be written.
        """
        self._folders = {run: folder for run, folder in enumerate(folders) if folder.written}
        self._identities, self._reported = identities, reported
        self._logged = [-1] * len(folders)
        earlier = max((checkpoint.seconds for checkpoint in saved.values()), default=0.0)
        # A resumed run counts the time before its interruption.
        self._began = time.monotonic() - earlier
        self._next_checkpoint = time.monotonic()
        for run, folder in self._folders.items():
            if not folder.begun():
                folder.begin()
                continue
            folder.save_settings()  # `optimizer.steps` may have grown
            if run not in saved:
                folder.metrics.rewind(-1)

    def seconds(self) -> float:
        """Return the wall seconds of the runs, including those before an interruption."""
        return time.monotonic() - self._began

    def rewind(self, run: int, step: int) -> None:
        """Drop the metrics after `step`, which will be logged again."""
        if run in self._folders:
            self._logged[run] = self._folders[run].metrics.rewind(step)

    def unlogged(self, steps: Mapping[int, int]) -> list[int]:
        """Return the runs in `steps`, a run's current step by run, that have not logged that step yet."""
        return [run for run, step in steps.items() if self._logged[run] != step]

    def log(
        self, runs: Iterable[int], steps: np.ndarray, evaluations: np.ndarray, scale: float, terms: Mapping
    ) -> None:
        """Append a line of metrics for each of `runs`; arrays and `terms` have an entry per run."""
        for run in self._folders.keys() & runs:
            self._logged[run] = int(steps[run])
            reported = {
                name: float(values[run])
                for name, values in terms.items()
                if "/" not in name or name in self._reported[run]
            }
            line = metrics_line(self._logged[run], int(evaluations[run]), self.seconds(), scale, reported)
            self._folders[run].metrics.write(line)

    def draw(self, run: int, step: int, picture: np.ndarray) -> None:
        """Write a snapshot of the run."""
        if run in self._folders:
            self._folders[run].save_snapshot(step, picture)

    @property
    def checkpoint_due(self) -> bool:
        """Whether enough time has passed since the last checkpoint to make its cost negligible."""
        return time.monotonic() >= self._next_checkpoint

    def checkpoint(self, leaves: Mapping[int, list[np.ndarray]], stage: int) -> None:
        """Save the optimiser state of each run; `stage` is the number of the stage that they are at."""
        began = time.monotonic()
        for run in self._folders.keys() & leaves:
            checkpoint = Checkpoint(leaves[run], stage, began - self._began)
            self._folders[run].metrics.sync()  # the lines before a checkpoint must survive what it survives
            self._folders[run].save_checkpoint(checkpoint, self._identities[run])
        now = time.monotonic()
        self._next_checkpoint = now + CHECKPOINT_SPACING * (now - began)

    def finish(self, run: int, picture: np.ndarray, record: Mapping[str, Any]) -> None:
        """Write the result of a run, and `record` as its run.json."""
        if run in self._folders:
            self._folders[run].save_result(picture, record)
