"""Style transfer from a config: `python -m nst_jax.run --config=configs/gatys.py`."""

import time
from pathlib import Path

from absl import flags

from nst_jax import cli, estimate, report, stylize
from nst_jax.config import Config, from_dict, to_dict
from nst_jax.errors import UserError
from nst_jax.run_folder import RunFolder, read_config

USAGE = """python -m nst_jax.run --config=FILE [--config.FIELD=VALUE ...] [--workdir=FOLDER] [--resume]

Paints the content of one picture in the style of another, as the config says. See configs/gatys.py."""


def main(argv: list[str]) -> int:
    """Run the job that the flags in `argv` name; the exit status is returned."""
    values = _parse(argv)
    folder = _folder(values)
    if values.resume and folder.finished():
        print(f"finished already: {folder.path / 'result.png'}")
        return 0
    cli.use_compilation_cache()
    job = stylize.prepare(folder.config)
    print(f"estimate: {report.size(float(estimate.require_memory(job)))} of memory", flush=True)
    if not (values.resume and folder.begun()):
        folder.begin()
    outcome = stylize.paint(job, folder, values.resume)
    result = folder.path / "result.png"
    if outcome.status == "diverged":
        raise UserError(
            f"optimizer.learning_rate: the loss is not finite after step {outcome.steps}, even with "
            f"smaller steps than {job.config.optimizer.learning_rate}; the best image is in {result}"
        )
    print(
        f"{outcome.status}: {result}, {outcome.steps} steps, {outcome.evaluations} evaluations, "
        f"{report.duration(outcome.seconds)}, network {job.weights.name} (sha256 {job.weights.sha256[:8]})"
    )
    return cli.EXIT_INTERRUPTED if outcome.status == "interrupted" else 0


def _parse(argv: list[str]) -> flags.FlagValues:
    values = flags.FlagValues()
    cli.define_resumable(values, argv)
    cli.parse(values, argv, USAGE)
    return values


def _folder(values: flags.FlagValues) -> RunFolder:
    """The run folder with its config: from --config, or what a resumed folder holds; they must agree."""
    if values.resume and values.workdir is None:
        raise UserError("--resume: say which run folder with --workdir")
    if not values.resume and values["config"].value is None:
        raise UserError("--config: missing; try --config=configs/gatys.py")
    if values["config"].value is None:
        return RunFolder(values.workdir, read_config(values.workdir))
    config = from_dict(cli.config_value(values))
    path = Path(values.workdir or f"runs/{cli.config_name(values)}-{time.strftime('%Y%m%d-%H%M%S')}")
    folder = RunFolder(path, config)
    if values.resume and folder.begun():
        _check_same(config, read_config(path))
    return folder


def _check_same(config: Config, saved: Config) -> None:
    for name, value in to_dict(saved).items():
        if (now := to_dict(config)[name]) != value:
            raise UserError(f"--resume: {name} is {now} now but was {value} when the run began")


if __name__ == "__main__":
    cli.run(main)
