"""The folder of a sweep: its runs and their status."""

import dataclasses
import json
from collections import Counter
from pathlib import Path
from typing import Any

from nst_jax import files
from nst_jax.errors import UserError
from nst_jax.runs.folder import RunFolder, read_run
from nst_jax.runs.machine import environment
from nst_jax.sweeps import plan
from nst_jax.sweeps.plan import Run, flat

FINAL = ("done", "diverged")  # statuses of runs that a resumed sweep does not repeat


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
        if not (path / "sweep.json").exists():
            return cls(path, name, runs)
        if not resume:
            raise UserError(f"--workdir: {path} already holds a sweep; add --resume or choose another folder")
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
            values = json.loads(file.read_text())
            return cls(path, values["name"], plan.from_json(values["runs"]), values["groups"])
        except FileNotFoundError as error:
            raise UserError(f"--workdir: {path} holds no sweep to resume (no sweep.json)") from error
        except (OSError, json.JSONDecodeError, KeyError) as error:
            raise UserError(f"{file}: cannot be read: {error}") from error

    def folder(self, run: Run) -> RunFolder:
        """Return the run folder of `run`."""
        return RunFolder(self.path / run.folder, run.config)

    def status(self, run: Run) -> str:
        """Return 'done', 'diverged', 'interrupted' or 'waiting'."""
        return read_run(self.path / run.folder).get("status", "waiting")

    def unfinished(self) -> list[Run]:
        """Return the runs that have not reached a final status."""
        return [run for run in self.runs if self.status(run) not in FINAL]

    def save(self) -> None:
        """Write sweep.json: number of programs, groups, and the status of each run."""
        runs = plan.to_json(self.runs)
        for entry, run in zip(runs, self.runs, strict=True):
            entry["status"] = self.status(run)
            entry["seconds"] = read_run(self.path / run.folder).get("wall_seconds")
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


def _check_same(runs: list[Run], saved: list[Run]) -> None:
    if [run.folder for run in runs] != [run.folder for run in saved]:
        raise UserError(
            f"--resume: the runs of the sweep have changed: {len(runs)} now, {len(saved)} when it began"
        )
    for run, before in zip(runs, saved, strict=True):
        now, then = flat(run.config), flat(before.config)
        for name in {**then, **now}:
            if now.get(name) != then.get(name):
                raise UserError(
                    f"--resume: {name} of {run.folder} is {now.get(name)} now but was {then.get(name)}"
                )
