"""Style transfer from Python: at once, step by step, or many pictures with one set of programs."""

import contextlib
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from absl import logging
from PIL import Image

from nst_jax.api.inputs import Picture, base_config, changes, dropped_unless, saved_pictures
from nst_jax.api.results import Result, Snapshot, made_result
from nst_jax.config import Config, NetworkConfig, from_dict
from nst_jax.config.effects import warn_of_idle
from nst_jax.config.overriding import override
from nst_jax.images.writing import to_bytes
from nst_jax.methods.estimate import fitting_history, require_memory, with_history
from nst_jax.methods.speed import work_of
from nst_jax.methods.transfers import open_session
from nst_jax.runs.folder import RunFolder, require_free
from nst_jax.runs.progress import Progress, shows_bars
from nst_jax.storage.locks import claimed
from nst_jax.transfer.fitting import with_fitting_scales
from nst_jax.transfer.grouping import session_key
from nst_jax.transfer.job import Job
from nst_jax.transfer.painting import painted
from nst_jax.transfer.preparing import prepare
from nst_jax.transfer.stage_run import JobBatch
from nst_jax.transfer.stage_session import StageSession
from nst_jax.weights import load_network


def stylize(
    content: Picture,
    style: Picture,
    config: str | Config | Mapping[str, Any] = "quick",
    *,
    workdir: str | Path | None = None,
    progress: bool | None = None,
    **fields: Any,
) -> Result:
    """Render `content` in the style of `style`.

    Pictures are paths, `sample:NAME`, PIL images of any mode, or arrays of shape `h w 3`, `h w 4` with alpha,
    or `h w`: uint8, uint16, bool, or floats in [0, 1]. `config` and `fields` are those of `load_config`.
    `workdir` keeps the run folder, as of `python -m nst_jax.run`; `progress` shows a
    bar, by default on a terminal and in a notebook.

    Raises:
        UserError: a picture, the weights or a field cannot be used; the message names it.
    """
    session = Session(config, content=content, style=style, **fields)
    return session.stylize(workdir=workdir, progress=progress)


def paint(
    content: Picture,
    style: Picture,
    config: str | Config | Mapping[str, Any] = "quick",
    *,
    workdir: str | Path | None = None,
    **fields: Any,
) -> Iterator[Snapshot]:
    """Like `stylize`, but yield the picture at step 0 and after every `log_every` steps.

    The run ends when the iterator is closed or dropped. The last snapshot holds the result.

    Raises:
        UserError: as `stylize`.
    """
    return Session(config, content=content, style=style, **fields).paint(workdir=workdir)


class Session:
    """Settings, networks and compiled programs for many pictures.

    Pictures of the same shape share one program per scale, and style statistics are computed once per style.
    """

    def __init__(self, config: str | Config | Mapping[str, Any] = "quick", **fields: Any):
        """Take the config of `load_config`; nothing is loaded or compiled yet.

        Raises:
            UserError: there is no such config, or a field is unknown or invalid.
        """
        self._inputs = {name: fields.pop(name) for name in ("content", "style", "init") if name in fields}
        self._base = override(base_config(config), changes(fields))
        warn_of_idle(from_dict(self._base), changes(fields))
        self._networks: dict[tuple[NetworkConfig, tuple[str, ...]], Any] = {}
        self._groups: dict[Any, StageSession] = {}

    @property
    def compilations(self) -> int:
        """Number of step programs compiled so far."""
        return sum(group.compilations for group in self._groups.values())

    def stylize(
        self,
        content: Picture | None = None,
        style: Picture | None = None,
        *,
        workdir: str | Path | None = None,
        progress: bool | None = None,
        **fields: Any,
    ) -> Result:
        """Return the result for one picture; the session's settings hold for what is not given.

        Raises:
            UserError: as the function `stylize`.
        """
        result = None
        with (
            self._prepared(content, style, workdir, **fields) as (job, folder),
            Progress(work_of(job), shows_bars() if progress is None else progress) as bar,
        ):
            for snapshot in self._paint(job, folder):
                line = snapshot.metrics
                bar.update(line["step"], line["total"], line["evaluations"])
                result = snapshot.result
        assert result is not None, "the last snapshot has the result"
        return result

    def paint(
        self,
        content: Picture | None = None,
        style: Picture | None = None,
        *,
        workdir: str | Path | None = None,
        **fields: Any,
    ) -> Iterator[Snapshot]:
        """Yield snapshots of one picture; see the function `paint`.

        Raises:
            UserError: as the function `stylize`, at the first step of the iteration.
        """
        with self._prepared(content, style, workdir, **fields) as (job, folder):
            yield from self._paint(job, folder)

    @contextlib.contextmanager
    def _prepared(
        self, content: Picture | None, style: Picture | None, workdir: str | Path | None, **fields: Any
    ) -> Iterator[tuple[Job, RunFolder]]:
        """Hold the run folder, by default a temporary one, and read what is to be painted in it."""
        pictures = {"content": content, "style": style, "init": fields.pop("init", None)}
        given = self._inputs | {name: value for name, value in pictures.items() if value is not None}
        with tempfile.TemporaryDirectory(prefix="nst_jax-") as temporary:
            path = Path(workdir or Path(temporary) / "run")
            inputs = path / "inputs" if workdir else Path(temporary)
            require_free(path)
            with claimed(path), dropped_unless(path / "config.json", inputs):
                changed = changes(saved_pictures(given, inputs) | fields)
                config = from_dict(override(self._base, changed))
                warn_of_idle(config, changes(fields))
                config, note = with_fitting_scales(config)
                if note:
                    logging.warning("%s", note)
                job = self._job(config)
                yield job, RunFolder(path, job.config)

    def _job(self, config: Config) -> Job:
        layers = config.required_layers()
        if (config.network, layers) not in self._networks:
            self._networks[config.network, layers] = load_network(config.network, layers)
        job = prepare(config, self._networks[config.network, layers])
        return with_history(job, fitting_history(job))

    def _paint(self, job: Job, folder: RunFolder) -> Iterator[Snapshot]:
        # Another size or network begins a session of its own; the earlier ones stay for pictures like before.
        key = session_key(job)
        if key not in self._groups:
            self._groups[key] = open_session([job])
        require_memory(self._groups[key], job)
        batch = JobBatch(self._groups[key], [job], [folder], lambda look: True, {})
        steps = batch.ends[-1]
        for stop, picture_of in painted(batch):
            if stop < steps and not batch.outcomes:  # the last one comes with the result
                picture = Image.fromarray(to_bytes(picture_of(0)[0]))
                yield Snapshot(stop, steps, picture, folder.metrics.read()[-1])
        (outcome,) = batch.outcomes.values()
        if outcome.status == "diverged":
            logging.warning("the loss is not finite after step %d, even with smaller steps", outcome.steps)
        if outcome.status == "stalled":
            logging.warning("no step lowers the loss; the result is the initial picture")
        result = made_result(job, outcome, folder.metrics.read())
        yield Snapshot(outcome.steps, steps, result.image, result.metrics[-1], result)
