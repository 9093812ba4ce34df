"""Style transfer from a config: `python -m nst_jax.run --config=configs/gatys.py`."""

from absl import flags

from nst_jax import cli
from nst_jax.config import from_dict, to_dict
from nst_jax.config.tables import extensible
from nst_jax.errors import UserError
from nst_jax.optimizers.loop import Look
from nst_jax.preview.previewing import define_preview, previewed
from nst_jax.runs.folder import GROWING, RunFolder, read_settings, require_same
from nst_jax.runs.progress import Progress, byte_count, duration
from nst_jax.runs.tensorboard_log import define_log, logged
from nst_jax.terminal.signals import StopSignal
from nst_jax.transfer.estimate import require_memory
from nst_jax.transfer.job import Job, Outcome
from nst_jax.transfer.painting import paint
from nst_jax.transfer.preparing import prepare
from nst_jax.transfer.transfers import Transfer, open_session

USAGE = """python -m nst_jax.run --config=FILE [--config.FIELD=VALUE ...] [--workdir=FOLDER] [--resume]

Renders the content of one picture in the style of another, as set in a config file. See configs/gatys.py."""
EXAMPLE = "configs/gatys.py"


def main(argv: list[str]) -> int:
    """Run the style transfer given by the flags in `argv` and return the exit status."""
    values = _parse(argv)
    folder = _folder(values)
    result = folder.result
    if values.resume and folder.finished():
        print(f"finished already: {result}")
        return 0
    cli.use_compilation_cache()
    with folder.claimed():
        job = prepare(folder.config)
        session = open_session([job])
        if session.note:
            print(session.note)
        print(f"estimate: {byte_count(require_memory(session, job))} of memory", flush=True)
        with previewed(values, folder.path), logged(values, folder.path):
            outcome, exit_status = _paint(session, job, folder)
    if outcome.status == "diverged":
        raise UserError(
            f"content_weight, style_weight, tv_weight: too large: the loss is not finite after step "
            f"{outcome.steps}, even with smaller steps; the best image so far is in {result}"
        )
    print(
        f"{outcome.status}: {result}, {outcome.steps} steps, {outcome.evaluations} evaluations, "
        f"{duration(outcome.seconds)}, network {job.weights.name} (sha256 {job.weights.sha256[:8]})"
    )
    return exit_status


def _paint(session: Transfer, job: Job, folder: RunFolder) -> tuple[Outcome, int]:
    """Run with a progress bar, from the folder's checkpoint if there is one, to the end or until a signal."""
    saved = folder.load_checkpoint(job.identity())
    with StopSignal() as stop, Progress(job.config) as progress:

        def watch(look: Look) -> bool:
            progress.update(int(look.step[0]), float(look.value[0]), int(look.evaluations[0]))
            return not stop.requested

        (outcome,) = paint(session, [job], [folder], watch, [saved])
    return outcome, stop.exit_status if outcome.status == "interrupted" else 0


def _parse(argv: list[str]) -> flags.FlagValues:
    values = flags.FlagValues()
    cli.define_resumable(values, argv, extensible)
    define_preview(values)
    define_log(values)
    cli.parse(values, argv, USAGE)
    return values


def _folder(values: flags.FlagValues) -> RunFolder:
    """The run folder and its config, from --config or from the folder to resume; the two must agree."""
    if values.resume and values["config"].value is None:
        path = cli.work_folder(values)
        return RunFolder(path, from_dict(read_settings(path)))
    config = from_dict(cli.config_value(values, EXAMPLE))
    folder = RunFolder(cli.work_folder(values), config)
    if not values.resume:
        folder.require_free()
    elif folder.begun():
        saved = to_dict(from_dict(read_settings(folder.path)))
        require_same(to_dict(config), saved, growing=() if folder.finished() else GROWING)
    return folder


if __name__ == "__main__":
    cli.run(main)
