"""Style transfer from a config: `python -m nst_jax.run --config=configs/gatys.py`."""

import contextlib
import dataclasses
import json
import shlex
from pathlib import Path

from absl import flags, logging

from nst_jax import cli
from nst_jax.api.results import load_result, picture_format
from nst_jax.config import Config, from_dict, to_dict
from nst_jax.config.effects import warn_of_idle
from nst_jax.config.stages import stages_of
from nst_jax.config.tables import extensible
from nst_jax.devices import processes
from nst_jax.errors import UserError
from nst_jax.methods.estimate import fitting_history, require_memory, with_history
from nst_jax.methods.speed import time_text, work_of
from nst_jax.methods.transfers import open_session
from nst_jax.optimizers.loop import Look
from nst_jax.preview.flag import define_preview, previewed
from nst_jax.runs.checkpoint import broadcast_checkpoint
from nst_jax.runs.folder import GROWING, RunFolder, read_settings, require_same
from nst_jax.runs.logs.following import define_log, logged
from nst_jax.runs.profiling import Profile, define_profile
from nst_jax.runs.progress import Progress, byte_count, duration
from nst_jax.runs.unwritten import UnwrittenFolder
from nst_jax.terminal.signals import StopSignal
from nst_jax.transfer.fitting import with_fitting_scales
from nst_jax.transfer.job import Job, Outcome
from nst_jax.transfer.painting import paint
from nst_jax.transfer.preparing import prepare
from nst_jax.transfer.stage_session import StageSession

USAGE = """python -m nst_jax.run --config=FILE [--config.FIELD=VALUE ...] [--workdir=FOLDER] [--out=FILE]
    [--resume] [--dry_run]

Renders the content of one picture in the style of another, as set in a config file. See configs/gatys.py."""
EXAMPLE = "configs/gatys.py"


def main(argv: list[str]) -> int:
    """Run the style transfer given by the flags in `argv` and return the exit status."""
    values = _parse(argv)
    with processes.connected(values):
        return _run(values)


def _run(values: flags.FlagValues) -> int:
    with processes.agreeing():
        folder = _folder(values)
    result = folder.result
    if processes.broadcast(values.resume and folder.finished()):
        _say(f"finished already: {_copied(values.out, folder)}")
        return 0
    begun = processes.broadcast(folder.begun())
    cli.use_compilation_cache()
    if values.dry_run:
        return _dry_run(folder.config)
    with contextlib.ExitStack() as stack:
        with processes.agreeing():
            stack.enter_context(folder.claimed())
            job = prepare(folder.config, begun=folder.network_digests())
            history = job.config.optimizer.memory if begun else fitting_history(job)
        job = with_history(job, processes.smallest(history))
        folder.config = job.config
        with processes.agreeing():
            session = open_session([job])
            if session.note:
                _say(session.note)
            memory = byte_count(require_memory(session, job))
            _say(f"folder: {folder.path}")
            step = folder.last_step() if processes.is_first() else 0
            _say(f"estimate: {memory} of memory{time_text(job, step)}")
            if processes.is_first():
                stack.enter_context(previewed(values, folder.path))
                stack.enter_context(logged(values, folder.path))
        processes.require_equal(job.digest())
        profile = Profile(folder.path / "profile", values.profile if processes.is_first() else None)
        outcome, exit_status = _paint(session, job, folder, step, profile)
    if outcome.status == "diverged":
        raise UserError(
            f"content_weight, style_weight, tv_weight: too large: the loss is not finite after step "
            f"{outcome.steps}, even with smaller steps; the best image so far is in {result}"
        )
    if outcome.status == "stalled":
        raise UserError(
            "content_weight, style_weight, tv_weight: no step lowers the loss; bring the weights closer "
            f"together, or start from another picture; the initial one is in {result}"
        )
    shown = result if exit_status else _copied(values.out, folder)
    _say(
        f"{outcome.status}: {shown}, {outcome.steps} steps, {outcome.evaluations} evaluations, "
        f"{duration(outcome.seconds)}, network {job.weights.name} (sha256 {job.weights.sha256[:8]})"
    )
    if exit_status:
        out = f" --out={shlex.quote(values.out)}" if values.out else ""
        _say(f"resume with: {cli.resuming('nst_jax.run', folder.path)}{out}")
    return exit_status


def _dry_run(config: Config) -> int:
    """Print the settings as resolved, the stages, and the memory and time that they take; return 0."""
    job = prepare(config)
    job = with_history(job, fitting_history(job))
    session = open_session([job])
    memory = byte_count(require_memory(session, job))
    _say(json.dumps(to_dict(job.config), indent=2))
    for stage in stages_of(job.config):
        _say(f"stage {stage.number + 1}: {round(job.config.size * stage.scale)} px, {stage.steps} steps")
    _say(f"dry run: {memory} of memory{time_text(job)}, network {job.weights.name}; nothing was painted")
    return 0


def _copied(out: str | None, folder: RunFolder) -> Path:
    """Write the picture of a finished run to `out` too, if there is one; return the file to show."""
    if out and processes.is_first():
        load_result(folder.path).save(out)
    return Path(out) if out else folder.result


def _paint(
    session: StageSession, job: Job, folder: RunFolder, step: int, profile: Profile
) -> tuple[Outcome, int]:
    """Run from the folder's checkpoint, if there is one, to the end or until a signal, with a progress bar.

    The bar begins at `step`.
    """
    with processes.agreeing():
        read = folder.load_checkpoint(job.identity())
    saved = broadcast_checkpoint(read)
    bar = Progress(work_of(job), processes.is_first(), step)
    with StopSignal() as stop, bar as progress, contextlib.closing(profile):

        def watch(look: Look) -> bool:
            profile.look(int(look.step[0]))
            progress.update(int(look.step[0]), float(look.value[0]), int(look.evaluations[0]))
            stop.number = processes.largest(stop.number)
            return not stop.requested

        (outcome,) = paint(session, [job], [folder], watch, [saved])
    return outcome, stop.exit_status if outcome.status == "interrupted" else 0


def _say(text: str) -> None:
    if processes.is_first():
        print(text, flush=True)


def _parse(argv: list[str]) -> flags.FlagValues:
    values = flags.FlagValues()
    cli.define_resumable(values, argv, extensible)
    define_preview(values)
    define_log(values)
    define_profile(values)
    processes.define_processes(values)
    flags.DEFINE_bool("dry_run", False, "print settings, memory and time, and exit", flag_values=values)
    flags.DEFINE_string("out", None, "a file to which the picture is written too", flag_values=values)
    cli.parse(values, argv, USAGE, Config)
    if values.out is not None:
        _check_out(Path(values.out))
    return values


def _check_out(path: Path) -> None:
    """Refuse a file that could not be written in the end.

    Raises:
        UserError: it exists already, or has no folder or no suffix of a picture format.
    """
    picture_format(path, "--out")
    if path.exists():
        raise UserError(f"--out: {path} exists already; delete it, or choose another file")
    if not path.parent.is_dir():
        raise UserError(f"--out: there is no folder {path.parent}")


def _folder(values: flags.FlagValues) -> RunFolder:
    """The run folder and its config, from --config or from the folder to resume; the two must agree."""
    if values.resume and values["config"].value is None:
        path = cli.work_folder(values)
        folder = RunFolder(path, from_dict(read_settings(path)))
        return folder if processes.is_first() else UnwrittenFolder(folder)
    config = cli.settings(values, from_dict, EXAMPLE)
    if cli.config_program().get("sweep"):
        name = cli.config_name(values)
        raise UserError(f"--config: {name} is a sweep of many runs; paint it with python -m nst_jax.sweep")
    if processes.is_first():
        warn_of_idle(config, cli.given_fields(values, config))
    config, note = with_fitting_scales(config)
    if note and processes.is_first():
        logging.warning("%s", note)
    folder = RunFolder(cli.work_folder(values), config)
    if not processes.is_first():
        return UnwrittenFolder(folder)
    if not values.resume:
        folder.require_free()
    elif folder.begun():
        saved = from_dict(read_settings(folder.path))
        if config.optimizer.may_lower(saved.optimizer.memory):
            optimizer = config.optimizer.with_history(saved.optimizer.memory)
            folder.config = dataclasses.replace(config, optimizer=optimizer)
        growing = () if folder.finished() else GROWING
        require_same(to_dict(folder.config), to_dict(saved), growing)
    return folder


if __name__ == "__main__":
    cli.run(main)
