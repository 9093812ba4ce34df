"""Style transfer from a config: `python -m nst_jax.run --config=configs/gatys.py`."""

import contextlib
import dataclasses

from absl import flags, logging

from nst_jax import cli
from nst_jax.config import from_dict, to_dict
from nst_jax.config.effects import warn_of_idle
from nst_jax.config.tables import extensible
from nst_jax.devices import processes
from nst_jax.errors import UserError
from nst_jax.methods.estimate import fitting_history, require_memory, with_history
from nst_jax.methods.speed import time_text
from nst_jax.methods.transfers import method_of, open_session
from nst_jax.optimizers.loop import Look
from nst_jax.preview.server import define_preview, previewed
from nst_jax.runs.checkpoint import broadcast_checkpoint
from nst_jax.runs.folder import GROWING, RunFolder, read_settings, require_same
from nst_jax.runs.progress import Progress, byte_count, duration
from nst_jax.runs.tensorboard_log import define_log, logged
from nst_jax.runs.unwritten import UnwrittenFolder
from nst_jax.terminal.signals import StopSignal
from nst_jax.transfer.fitting import with_fitting_scales
from nst_jax.transfer.job import Job, Outcome
from nst_jax.transfer.painting import paint
from nst_jax.transfer.preparing import prepare
from nst_jax.transfer.stage_session import StageSession

USAGE = """python -m nst_jax.run --config=FILE [--config.FIELD=VALUE ...] [--workdir=FOLDER] [--resume]

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
        _say(f"finished already: {result}")
        return 0
    begun = processes.broadcast(folder.begun())
    cli.use_compilation_cache()
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
            _say(f"estimate: {byte_count(require_memory(session, job))} of memory{time_text(job)}")
            if processes.is_first():
                stack.enter_context(previewed(values, folder.path))
                stack.enter_context(logged(values, folder.path))
        processes.require_equal(job.digest())
        outcome, exit_status = _paint(session, job, folder)
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
    _say(
        f"{outcome.status}: {result}, {outcome.steps} steps, {outcome.evaluations} evaluations, "
        f"{duration(outcome.seconds)}, network {job.weights.name} (sha256 {job.weights.sha256[:8]})"
    )
    return exit_status


def _paint(session: StageSession, job: Job, folder: RunFolder) -> tuple[Outcome, int]:
    """Run with a progress bar, from the folder's checkpoint if there is one, to the end or until a signal."""
    with processes.agreeing():
        read = folder.load_checkpoint(job.identity())
    saved = broadcast_checkpoint(read)
    costs = method_of(job).costs
    known = costs(job, job.weights) if costs else None
    with StopSignal() as stop, Progress(job.config, processes.is_first(), known) as progress:

        def watch(look: Look) -> bool:
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
    processes.define_processes(values)
    cli.parse(values, argv, USAGE)
    return values


def _folder(values: flags.FlagValues) -> RunFolder:
    """The run folder and its config, from --config or from the folder to resume; the two must agree."""
    if values.resume and values["config"].value is None:
        path = cli.work_folder(values)
        folder = RunFolder(path, from_dict(read_settings(path)))
        return folder if processes.is_first() else UnwrittenFolder(folder)
    config = from_dict(cli.config_value(values, EXAMPLE))
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
