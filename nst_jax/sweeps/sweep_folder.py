"""A sweep on disk: which runs it has, and where each stands."""

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

FINAL = ("done", "diverged")  # what a resumed sweep does not paint again


@dataclasses.dataclass
class Sweep:
    """The folder of a sweep, its runs, and how they were grouped."""

    path: Path
    name: str
    runs: list[Run]
    groups: list[dict[str, Any]] = dataclasses.field(default_factory=list)

    @classmethod
    def open(cls, path: Path, name: str, runs: list[Run], resume: bool) -> "Sweep":
        """A new sweep, or with `resume` the one in `path`, which must have the same runs.

        Raises:
            UserError: the folder holds a sweep already, or another one.
        """
        if not (path / "sweep.json").exists():
            return cls(path, name, runs)
        if not resume:
            raise UserError(f"--workdir: {path} holds a sweep already; add --resume, or choose another")
        saved = cls.load(path)
        _check_same(runs, saved.runs)
        return saved

    @classmethod
    def load(cls, path: Path) -> "Sweep":
        """The sweep in the folder `path`.

        Raises:
            UserError: there is none, or sweep.json is damaged.
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
        """The run folder of `run`."""
        return RunFolder(self.path / run.folder, run.config)

    def status(self, run: Run) -> str:
        """'done', 'diverged', 'interrupted', or 'waiting'."""
        return read_run(self.path / run.folder).get("status", "waiting")

    def unfinished(self) -> list[Run]:
        """The runs that are still to be painted."""
        return [run for run in self.runs if self.status(run) not in FINAL]

    def save(self) -> None:
        """Write sweep.json: how many programs, in which groups, and where each run stands."""
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
        """`20 runs (19 done, 1 diverged), 1 program compiled`."""
        counts = Counter(self.status(run) for run in self.runs)
        programs = sum(group["compilations"] for group in self.groups)
        words = ", ".join(f"{count} {status}" for status, count in sorted(counts.items()))
        return f"{len(self.runs)} runs ({words}), {programs} program{'s' * (programs != 1)} compiled"


def _check_same(runs: list[Run], saved: list[Run]) -> None:
    if [run.folder for run in runs] != [run.folder for run in saved]:
        raise UserError(
            f"--resume: the sweep has {len(runs)} runs now, not the {len(saved)} that it began with"
        )
    for run, before in zip(runs, saved, strict=True):
        now, then = flat(run.config), flat(before.config)
        for name in {**then, **now}:
            if now.get(name) != then.get(name):
                raise UserError(
                    f"--resume: {name} of {run.folder} is {now.get(name)} now but was {then.get(name)}"
                )
