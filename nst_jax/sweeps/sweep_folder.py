"""The folder of a sweep: its runs and their status."""

import dataclasses
from collections import Counter
from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

from absl import logging

from nst_jax import files
from nst_jax.config import flat
from nst_jax.errors import UserError
from nst_jax.runs.folder import RunFolder, read_run
from nst_jax.runs.machine import environment
from nst_jax.storage.json_files import read_json, require_fields
from nst_jax.storage.locks import require_unclaimed
from nst_jax.sweeps import plan
from nst_jax.sweeps.plan import Run

# Fields of run.json that the gallery shows.
RECORDED = {"network": dict, "steps": int, "evaluations": int, "wall_seconds": float, "painted_together": int}
FINAL = ("done", "diverged", "stalled")  # statuses of runs that a resumed sweep does not repeat


@dataclasses.dataclass
class Sweep:
    """The folder of a sweep, its runs, and the groups in which they were painted."""

    path: Path
    name: str
    runs: list[Run]
    groups: list[dict[str, Any]] = dataclasses.field(default_factory=list)

    @classmethod
    def open(cls, path: Path, name: str, runs: list[Run], resume: bool) -> "Sweep":
        """Return a new sweep, or with `resume` the one in `path`, which must have the same runs.

        Raises:
            UserError: `path` already holds a sweep, or with `resume` a sweep of other runs.
        """
        if not resume:
            require_no_sweep(path)
        if not (path / "sweep.json").exists():
            return cls(path, name, runs)
        saved = cls.load(path)
        _check_same(runs, saved.runs)
        return saved

    @classmethod
    def load(cls, path: Path) -> "Sweep":
        """Return the sweep in the folder `path`.

        Raises:
            UserError: sweep.json is missing or damaged.
        """
        file = path / "sweep.json"
        try:
            values = read_json(file, name=str, runs=list, groups=list)
        except FileNotFoundError as error:
            raise UserError(f"--workdir: {path} holds no sweep to resume (no sweep.json)") from error
        try:
            for group in values["groups"]:
                require_fields(group, runs=list, batch=int, devices=int, compilations=int)
            return cls(path, values["name"], plan.from_json(values["runs"]), values["groups"])
        except ValueError as error:
            raise UserError(f"{file}: {error}") from error

    def folder(self, run: Run) -> RunFolder:
        """Return the run folder of `run`."""
        return RunFolder(self.path / run.folder, run.config)

    def status(self, run: Run) -> str:
        """Return one of `FINAL`, 'interrupted' or 'waiting'; a run whose result is missing waits."""
        return self.folder(run).record().get("status", "waiting")

    def record(self, run: Run) -> dict[str, Any]:
        """Return run.json of a run that has ended.

        Raises:
            UserError: it is damaged.
        """
        record = read_run(self.path / run.folder, **RECORDED)
        try:
            require_fields(record["network"], name=str, arch=str)
        except ValueError as error:
            raise UserError(f"{self.path / run.folder / 'run.json'}: network: {error}") from error
        return record

    def unfinished(self) -> list[Run]:
        """Return the runs that have not reached a final status."""
        return [run for run in self.runs if self.status(run) not in FINAL]

    def batch_of(self, runs: Sequence[str]) -> int | None:
        """Return how many of `runs`, the folders of a group, are painted together; None for a new group."""
        return next((group["batch"] for group in self.groups if group["runs"] == list(runs)), None)

    def enter_groups(self, groups: Sequence[tuple[list[str], int, int]]) -> list[dict[str, Any]]:
        """Return the entries of `groups` in sweep.json: (folders of the runs, batch, number of devices).

        New groups are added. A warning says if a resumed group will be painted in another way than before.
        """
        known = {tuple(group["runs"]): group for group in self.groups}
        entries, differs = [], False
        for runs, batch, devices in groups:
            now = {"batch": batch, "devices": devices}
            entry = known.get(tuple(runs))
            if entry is None:
                self.groups.append(entry := {"runs": runs, **now, "compilations": 0})
            differs |= any(entry[name] != value for name, value in now.items())
            entry.update(now)
            entries.append(entry)
        if differs:
            logging.warning(
                "another batch or number of devices than when the sweep began: the remaining results may "
                "differ in their last bits"
            )
        return entries

    def save(self) -> None:
        """Write sweep.json: number of programs, groups, and the status of each run."""
        runs = plan.to_json(self.runs)
        for entry, run in zip(runs, self.runs, strict=True):
            record = self.folder(run).record()
            # Repeated here for whoever reads this file alone; run.json is what counts.
            entry |= {"status": record.get("status", "waiting"), "seconds": record.get("wall_seconds")}
        values = {
            "name": self.name,
            "compilations": sum(group["compilations"] for group in self.groups),
            "groups": self.groups,
            "runs": runs,
            **environment(),
        }
        files.write_json(self.path / "sweep.json", values)

    def summary(self) -> str:
        """Return a summary such as `20 runs (19 done, 1 diverged), 1 program compiled`."""
        counts = Counter(self.status(run) for run in self.runs)
        programs = sum(group["compilations"] for group in self.groups)
        statuses = ", ".join(f"{count} {status}" for status, count in sorted(counts.items()))
        return f"{len(self.runs)} runs ({statuses}), {programs} program{'s' * (programs != 1)} compiled"


def require_no_sweep(path: Path) -> None:
    """Raise `UserError` if `path` already holds a sweep; the message names a process that is at it."""
    if (path / "sweep.json").exists():
        require_unclaimed(path)
        raise UserError(f"--workdir: {path} already holds a sweep; add --resume or choose another folder")


def _check_same(runs: list[Run], saved: list[Run]) -> None:
    # The first difference tells most: an added run shifts all that follow.
    for run, before in zip_longest(runs, saved):
        if run is None or before is None or run.folder != before.folder:
            now, then = (repr(one.folder) if one else "missing" for one in (run, before))
            raise UserError(
                f"--resume: the runs of the sweep have changed: {len(runs)} now, {len(saved)} when it began; "
                f"the first to differ is {now} now and was {then}"
            )
        new, old = flat(run.config), flat(before.config)
        for name in {**old, **new}:
            if new.get(name) != old.get(name):
                raise UserError(
                    f"--resume: {name} of {run.folder} is {new.get(name)} now but was {old.get(name)}"
                )
