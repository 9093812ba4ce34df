"""A sweep on disk and at work: which runs are finished, and the painting of those that are not."""

import dataclasses
import itertools
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from absl import logging
from tqdm import tqdm

from nst_jax import batch, files, report, stylize, sweep_plan
from nst_jax.config import NetworkConfig
from nst_jax.errors import UserError
from nst_jax.painter import Painter, group
from nst_jax.record import CtrlC
from nst_jax.run_folder import Checkpoint, RunFolder, environment, read_config, read_run
from nst_jax.stylize import Job
from nst_jax.sweep_plan import Run, flat

FINAL = ("done", "diverged")  # what a resumed sweep does not paint again


@dataclasses.dataclass
class Sweep:
    """The folder of a sweep, its runs, and what is known of how they were painted."""

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
            return cls(path, values["name"], sweep_plan.from_json(values["runs"]), values["groups"])
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

    def save(self) -> None:
        """Write sweep.json: how many programs, in which groups, and where each run stands."""
        runs = sweep_plan.to_json(self.runs)
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


class Waiting(NamedTuple):
    """A run that is not finished, and where it stands."""

    run: Run
    job: Job
    saved: Checkpoint | None

    def steps(self) -> int:
        """All that it takes."""
        return self.run.config.optimizer.steps * len(self.run.config.scales)


def prepare(runs: list[Run]) -> list[Job]:
    """The runs' jobs: every picture and network read and checked, each network once.

    Raises:
        UserError: any of them cannot be used; the message names the run.
    """
    layers: dict[NetworkConfig, set[str]] = {}
    for run in runs:
        layers.setdefault(run.config.network, set()).update(run.config.active_layers())
    networks: dict[NetworkConfig, Any] = {}
    jobs = []
    for run in runs:
        config = run.config.network
        if config not in networks:
            networks[config] = stylize.load_network(config, sorted(layers[config]))
        try:
            jobs.append(stylize.prepare(run.config, networks[config]))
        except UserError as error:
            raise UserError(f"{error} (in run {run.folder})") from error
    return jobs


def paint(sweep: Sweep, width: int | None = None) -> bool:
    """Paint the runs that are not finished, `width` together; False when Ctrl-C ended it.

    Raises:
        UserError: a run cannot be prepared (nothing is computed then), or a folder cannot be written.
    """
    unfinished = [index for index, run in enumerate(sweep.runs) if sweep.status(run) not in FINAL]
    if not unfinished:
        return True
    # The finished ones too: the programs, and so their rounding, are those that the sweep began with.
    jobs = prepare(sweep.runs)
    waiting = {index: _waiting(sweep, sweep.runs[index], jobs[index]) for index in unfinished}
    sweep.save()
    total = sum(run.steps() for run in waiting.values())
    with CtrlC() as ctrl_c, tqdm(total=total, unit="step", dynamic_ncols=True) as bar:
        for members in group(jobs):
            if not (here := [waiting[index] for index in members if index in waiting]):
                continue
            painter = Painter([jobs[index] for index in members], width)
            entry = {"runs": [run.folder for run, *_ in here], "batch": painter.width, "compilations": 0}
            sweep.groups.append(entry)
            for together in _batches(here, painter.width):
                _paint_together(sweep, painter, together, bar, ctrl_c)
                entry["compilations"] = painter.compilations
                sweep.save()
                if ctrl_c.pressed:
                    return False
    return True


def _waiting(sweep: Sweep, run: Run, job: Job) -> Waiting:
    folder = sweep.folder(run)
    if not folder.begun():
        return Waiting(run, job, None)
    if read_config(folder.path) != run.config:
        raise UserError(f"--workdir: {folder.path} holds another run")
    return Waiting(run, job, folder.load_checkpoint(job.identity()))


def _batches(runs: Sequence[Waiting], width: int) -> Iterator[list[Waiting]]:
    """Up to `width` runs at a time, all of which are at the same scale."""
    for _, alike in itertools.groupby(runs, lambda run: run.saved.scale if run.saved else 0):
        several = list(alike)
        for begin in range(0, len(several), width):
            yield several[begin : begin + width]


def _paint_together(sweep: Sweep, painter: Painter, runs: list[Waiting], bar: tqdm, ctrl_c: CtrlC) -> None:
    """One batch; the bar moves as its runs do."""
    before, names = bar.n, ", ".join(run.run.folder for run in runs)
    bar.set_postfix_str(f"painting {names}"[:60], refresh=False)

    def watch(steps: np.ndarray) -> bool:
        bar.update(before + int(steps.sum()) - bar.n)
        return not ctrl_c.pressed

    cells, jobs, saved = zip(*runs, strict=True)
    outcomes = batch.paint(painter, jobs, [sweep.folder(run) for run in cells], watch, saved)
    for run, outcome in zip(cells, outcomes, strict=True):
        if outcome.status == "diverged":
            logging.warning(
                "%s: the loss is not finite after step %d, even with smaller steps; its best image is kept",
                run.folder,
                outcome.steps,
            )
    if not ctrl_c.pressed:
        # Runs that ended early, by stalling or diverging, count as gone through.
        bar.update(before + sum(run.steps() for run in runs) - bar.n)
        tqdm.write(f"{len(runs)} painted in {report.duration(outcomes[0].seconds)}: {names}")


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
