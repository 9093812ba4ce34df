"""Groups of runs that one program paints: each is plain data and a folder, so that any process can do it."""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from nst_jax.config import Config, NetworkConfig, from_dict, to_dict
from nst_jax.errors import UserError
from nst_jax.optimizers.loop import Look
from nst_jax.runs.folder import RunFolder, read_run, read_settings
from nst_jax.sweeps.sweep_folder import FINAL
from nst_jax.transfer.job import Job, prepare
from nst_jax.transfer.painting import paint
from nst_jax.transfer.session import Session
from nst_jax.weights import load_network

# (folders of the runs under way, where each stands) -> whether to go on
GroupWatch = Callable[[Sequence[str], Look], bool]


class Painted(NamedTuple):
    """What became of runs that were painted together, in plain data."""

    folders: list[str]
    statuses: list[str]  # as in run.json
    steps: list[int]
    seconds: float
    width: int  # runs painted together at most
    compilations: int  # of the group so far


def group_task(configs: Mapping[str, Config], width: int | None) -> dict[str, Any]:
    """A group as JSON can hold it, from the configs of its runs by folder name."""
    return {"runs": {folder: to_dict(config) for folder, config in configs.items()}, "batch": width}


def prepare_jobs(configs: Mapping[str, Config]) -> dict[str, Job]:
    """The jobs of all runs by folder name: every picture and network read and checked, each network once.

    Raises:
        UserError: any of them cannot be used; the message names the run.
    """
    layers: dict[NetworkConfig, set[str]] = {}
    for config in configs.values():
        layers.setdefault(config.network, set()).update(config.active_layers())
    networks = {network: load_network(network, sorted(names)) for network, names in layers.items()}
    jobs = {}
    for folder, config in configs.items():
        try:
            jobs[folder] = prepare(config, networks[config.network])
        except UserError as error:
            raise UserError(f"{error} (in run {folder})") from error
    return jobs


def paint_group(
    task: Mapping[str, Any],
    path: Path,
    watch: GroupWatch = lambda folders, look: True,
    session: Session | None = None,
    jobs: Mapping[str, Job] | None = None,
) -> Iterator[Painted]:
    """Paint the runs of a `group_task` that are not finished, into their folders below `path`.

    Yields after every batch of runs, and ends early if `watch` returns False. `session` and `jobs` are made
    from the task unless the caller has them. The finished runs count as well: with them the programs, and
    so their rounding, are those that the group began with.

    Raises:
        UserError: a run cannot be prepared, or a folder cannot be written.
    """
    configs = {folder: from_dict(values) for folder, values in task["runs"].items()}
    jobs = jobs or prepare_jobs(configs)
    session = session or Session(list(jobs.values()), task["batch"])
    for folders in _batches(_unfinished(configs, jobs, path), session.width):
        runs = [RunFolder(path / folder, configs[folder]) for folder in folders]
        together = [jobs[folder] for folder in folders]
        saved = [run.load_checkpoint(job.identity()) for run, job in zip(runs, together, strict=True)]
        outcomes = paint(session, together, runs, partial(watch, folders), saved)
        yield Painted(
            folders,
            [outcome.status for outcome in outcomes],
            [outcome.steps for outcome in outcomes],
            outcomes[0].seconds,
            session.width,
            session.compilations,
        )
        if any(outcome.status == "interrupted" for outcome in outcomes):
            return


def check_folders(configs: Mapping[str, Config], jobs: Mapping[str, Job], path: Path) -> None:
    """Refuse run folders below `path` that hold something else than these runs.

    Raises:
        UserError: one does, or holds a checkpoint of other inputs.
    """
    _unfinished(configs, jobs, path)


def _unfinished(configs: Mapping[str, Config], jobs: Mapping[str, Job], path: Path) -> dict[str, int]:
    """The runs to paint, and the scale that each has come to."""
    scales = {}
    for folder, config in configs.items():
        run = RunFolder(path / folder, config)
        if read_run(run.path).get("status") in FINAL:
            continue
        if run.begun() and from_dict(read_settings(run.path)) != config:
            raise UserError(f"--workdir: {run.path} holds another run")
        scales[folder] = run.saved_scale(jobs[folder].identity())
    return scales


def _batches(scales: Mapping[str, int], width: int) -> Iterator[list[str]]:
    """Up to `width` runs at a time, all of which are at the same scale."""
    for _, alike in itertools.groupby(scales, scales.__getitem__):
        several = list(alike)
        for begin in range(0, len(several), width):
            yield several[begin : begin + width]
