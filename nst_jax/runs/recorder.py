"""Writes down what runs under way together do: metrics, snapshots, checkpoints, results."""

import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from nst_jax.runs.checkpoint import Checkpoint
from nst_jax.runs.folder import RunFolder
from nst_jax.runs.metrics import metrics_line

# A checkpoint is due when the time since the last one is this many times what it cost: 5 % at most.
CHECKPOINT_SPACING = 20


class Recorder:
    """One or more runs, each with a folder of its own, that share a clock."""

    def __init__(
        self,
        folders: Sequence[RunFolder],
        identities: Sequence[str],
        reported: Sequence[Collection[str]],
        saved: Mapping[int, Checkpoint],
    ):
        """Begin the folders that hold no run yet; of the others only those in `saved` keep their metrics.

        `identities` tell which inputs each run's checkpoint belongs to, `reported` which layers' terms each
        logs; the sums are always logged.

        Raises:
            UserError: a folder cannot be written.
        """
        self._folders, self._identities, self._reported = folders, identities, reported
        self._logged = [-1] * len(folders)
        self._began = time.monotonic() - max((held.seconds for held in saved.values()), default=0.0)
        self._next_checkpoint = time.monotonic()
        for run, folder in enumerate(folders):
            if not folder.begun():
                folder.begin()
            elif run not in saved:
                folder.metrics.rewind(-1)

    def seconds(self) -> float:
        """Wall seconds of the runs, those before an interruption included."""
        return time.monotonic() - self._began

    def rewind(self, run: int, step: int) -> None:
        """Forget what was logged after `step`: it will be logged again."""
        self._logged[run] = self._folders[run].metrics.rewind(step)

    def unlogged(self, steps: Mapping[int, int]) -> list[int]:
        """Of these runs and the steps that they stand at, those without a line of metrics."""
        return [run for run, step in steps.items() if self._logged[run] != step]

    def log(
        self, runs: Iterable[int], steps: np.ndarray, evaluations: np.ndarray, scale: float, terms: Mapping
    ) -> None:
        """Append a line of metrics for each of `runs`; arrays and `terms` have an entry per run."""
        for run in runs:
            self._logged[run] = int(steps[run])
            mine = {
                name: float(values[run])
                for name, values in terms.items()
                if "/" not in name or name in self._reported[run]
            }
            line = metrics_line(self._logged[run], int(evaluations[run]), self.seconds(), scale, mine)
            self._folders[run].metrics.write(line)

    def draw(self, run: int, step: int, picture: np.ndarray) -> None:
        """Write a snapshot."""
        self._folders[run].save_snapshot(step, picture)

    @property
    def checkpoint_due(self) -> bool:
        """Whether enough time has passed since the last checkpoint for its cost to be small."""
        return time.monotonic() >= self._next_checkpoint

    def checkpoint(self, leaves: Mapping[int, list[np.ndarray]], scale: int) -> None:
        """Save each run's optimiser state, by run, at the scale of that index."""
        began = time.monotonic()
        for run, of_run in leaves.items():
            checkpoint = Checkpoint(of_run, scale, began - self._began)
            self._folders[run].save_checkpoint(checkpoint, self._identities[run])
        now = time.monotonic()
        self._next_checkpoint = now + CHECKPOINT_SPACING * (now - began)

    def finish(self, run: int, picture: np.ndarray, about: Mapping[str, Any]) -> None:
        """Write a run's result and run.json."""
        self._folders[run].save_result(picture, about)
