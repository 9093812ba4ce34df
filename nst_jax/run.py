"""Style transfer from a config: `python -m nst_jax.run --config=configs/gatys.py`."""

from absl import flags

from nst_jax import cli
from nst_jax.config import from_dict, to_dict
from nst_jax.config.tables import extensible
from nst_jax.errors import UserError
from nst_jax.optimizers.loop import Look
from nst_jax.runs.folder import RunFolder, read_settings, require_same
from nst_jax.runs.interrupt import CtrlC
from nst_jax.runs.progress import Progress, byte_count, duration
from nst_jax.transfer.estimate import require_memory
from nst_jax.transfer.job import Job, Outcome
from nst_jax.transfer.painting import paint
from nst_jax.transfer.preparing import prepare
from nst_jax.transfer.session import Session

USAGE = """python -m nst_jax.run --config=FILE [--config.FIELD=VALUE ...] [--workdir=FOLDER] [--resume]

Renders the content of one picture in the style of another, as set in a config file. See configs/gatys.py."""
EXAMPLE = "configs/gatys.py"


def main(argv: list[str]) -> int:
    """Run the style transfer given by the flags in `argv` and return the exit status."""
    values = _parse(argv)
    folder = _folder(values)
    if values.resume and folder.finished():
        print(f"finished already: {folder.path / 'result.png'}")
        return 0
    cli.use_compilation_cache()
    job = prepare(folder.config)
    session = Session([job])
    print(f"estimate: {byte_count(require_memory(session, job))} of memory", flush=True)
    outcome = _paint(session, job, folder)
    result = folder.path / "result.png"
    if outcome.status == "diverged":
        raise UserError(
            f"optimizer.learning_rate: the loss is not finite after step {outcome.steps}, even with learning "
            f"rates below {job.config.optimizer.learning_rate}; the best image so far is in {result}"
        )
    print(
        f"{outcome.status}: {result}, {outcome.steps} steps, {outcome.evaluations} evaluations, "
        f"{duration(outcome.seconds)}, network {job.weights.name} (sha256 {job.weights.sha256[:8]})"
    )
    return cli.EXIT_INTERRUPTED if outcome.status == "interrupted" else 0


def _paint(session: Session, job: Job, folder: RunFolder) -> Outcome:
    """Run with a progress bar, from the folder's checkpoint if there is one, to the end or until Ctrl-C."""
    saved = folder.load_checkpoint(job.identity())
    with CtrlC() as ctrl_c, Progress(job.config) as progress:

        def watch(look: Look) -> bool:
            progress.update(int(look.step[0]), float(look.value[0]), int(look.evaluations[0]))
            return not ctrl_c.pressed

        (outcome,) = paint(session, [job], [folder], watch, [saved])
    return outcome


def _parse(argv: list[str]) -> flags.FlagValues:
    values = flags.FlagValues()
    cli.define_resumable(values, argv, extensible)
    cli.parse(values, argv, USAGE)
    return values


def _folder(values: flags.FlagValues) -> RunFolder:
    """The run folder and its config, from --config or from the folder to resume; the two must agree."""
    if values.resume and values.workdir is None:
        raise UserError("--resume: name the run folder with --workdir")
    if values.resume and values["config"].value is None:
        return RunFolder(values.workdir, from_dict(read_settings(values.workdir)))
    config = from_dict(cli.config_value(values, EXAMPLE))
    folder = RunFolder(cli.work_folder(values), config)
    if not values.resume:
        folder.require_free()
    elif folder.begun():
        require_same(to_dict(config), to_dict(from_dict(read_settings(folder.path))))
    return folder


if __name__ == "__main__":
    cli.run(main)
