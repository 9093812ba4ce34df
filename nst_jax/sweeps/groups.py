"""Groups of runs that share one program, described by plain data so that any process can paint them."""

import contextlib
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from nst_jax.config import Config, NetworkConfig, from_dict, to_dict
from nst_jax.errors import UserError
from nst_jax.methods.estimate import require_room_for
from nst_jax.methods.transfers import open_session
from nst_jax.optimizers.loop import Look
from nst_jax.runs.folder import RunFolder, read_settings, require_same
from nst_jax.sweeps.sweep_folder import FINAL
from nst_jax.transfer.job import Job
from nst_jax.transfer.painting import paint
from nst_jax.transfer.pictures import Pictures
from nst_jax.transfer.preparing import prepare
from nst_jax.transfer.stage_session import StageSession
from nst_jax.weights import load_network

# (folders of the runs that are being painted, their progress) -> whether to continue
GroupWatch = Callable[[Sequence[str], Look], bool]


class BatchOutcome(NamedTuple):
    """The outcome of a batch of runs that were painted together, as plain data."""

    folders: list[str]
    statuses: list[str]  # as in run.json
    steps: list[int]
    seconds: float
    width: int  # maximum number of runs painted together
    compilations: int  # step programs compiled for the group so far


def group_task(configs: Mapping[str, Config], width: int | None) -> dict[str, Any]:
    """Describe a group as JSON-compatible data, from the configs of its runs by folder name."""
    return {"runs": {folder: to_dict(config) for folder, config in configs.items()}, "batch": width}


def prepare_jobs(configs: Mapping[str, Config], path: Path | None = None) -> dict[str, Job]:
    """Read and check the pictures and networks of all runs; return jobs by folder name.

    Each network is loaded once, and each picture is decoded once. Runs that have begun below `path` go on
    with the same network, and so do the others that are to use it.

    Raises:
        UserError: an input cannot be used; the message names the run. Or the pictures do not fit into memory.
    """
    pictures = Pictures(configs.values())
    pictures.require_memory()
    layers: dict[NetworkConfig, set[str]] = {}
    for config in configs.values():
        layers.setdefault(config.network, set()).update(config.required_layers())
    begun: dict[NetworkConfig, set[str]] = {network: set() for network in layers}
    if path:
        for folder, config in configs.items():
            begun[config.network] |= RunFolder(path / folder, config).network_digests()
    # The layers of all runs, because each network is loaded once for them.
    networks = {
        network: load_network(network, sorted(names), begun[network]) for network, names in layers.items()
    }
    jobs = {}
    for folder, config in configs.items():
        try:
            jobs[folder] = prepare(config, networks[config.network], pictures)
        except UserError as error:
            raise error.prefixed(f"in run {folder}") from error
    return jobs


def paint_group(
    task: Mapping[str, Any],
    path: Path,
    watch: GroupWatch = lambda folders, look: True,
    session: StageSession | None = None,
    jobs: Mapping[str, Job] | None = None,
) -> Iterator[BatchOutcome]:
    """Paint the unfinished runs of a `group_task` into their folders below `path`.

    Yields after every batch of runs, and stops early if `watch` returns False. `session` and `jobs` are
    built from the task unless they are given. A task includes its finished runs, so that a resumed group
    compiles the same programs as before and rounds in the same way.

    Raises:
        UserError: a run cannot be prepared, or a folder cannot be written.
    """
    configs = {folder: from_dict(values) for folder, values in task["runs"].items()}
    jobs = jobs or prepare_jobs(configs)
    if session is None:  # on a machine of a cluster
        for job in jobs.values():
            require_room_for(job)
        session = open_session(list(jobs.values()), task["batch"])
    for folders in _batches(_unfinished(configs, jobs, path), session.width):
        runs = [RunFolder(path / folder, configs[folder]) for folder in folders]
        together = [jobs[folder] for folder in folders]
        with contextlib.ExitStack() as stack:
            for run in runs:
                stack.enter_context(run.claimed())
            saved = [run.load_checkpoint(job.identity()) for run, job in zip(runs, together, strict=True)]
            outcomes = paint(session, together, runs, partial(watch, folders), saved)
        yield BatchOutcome(
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
    """Check that the run folders below `path` hold nothing but these runs.

    Raises:
        UserError: a folder holds another run, or a checkpoint of other inputs.
    """
    _unfinished(configs, jobs, path)


def _unfinished(configs: Mapping[str, Config], jobs: Mapping[str, Job], path: Path) -> dict[str, int]:
    """Map each run that is not finished to the number of the stage that it has reached."""
    stages = {}
    for folder, config in configs.items():
        run = RunFolder(path / folder, config)
        if run.record().get("status") in FINAL:
            continue
        try:
            if run.begun():
                require_same(to_dict(config), to_dict(from_dict(read_settings(run.path))))
            checkpoint = run.load_checkpoint(jobs[folder].identity())
        except UserError as error:
            raise error.prefixed(f"in run {folder}") from error
        stages[folder] = checkpoint.stage if checkpoint else 0
    return stages


def _batches(stages: Mapping[str, int], width: int) -> Iterator[list[str]]:
    """Yield batches of up to `width` runs that are at the same stage."""
    # Lanes of one program are at one size, which the stage decides.
    for _, members in itertools.groupby(stages, stages.__getitem__):
        folders = list(members)
        for begin in range(0, len(folders), width):
            yield folders[begin : begin + width]
