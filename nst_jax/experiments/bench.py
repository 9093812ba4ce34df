"""A comparison of recipes: the same pairs of pictures, painted as one sweep and judged alike."""

import dataclasses
from functools import partial
from pathlib import Path

from absl import flags

from nst_jax import cli, files
from nst_jax.bench.bench_plan import BenchSettings, planned_runs
from nst_jax.bench.exporting import export, require_empty
from nst_jax.bench.reporting import report, require_judges
from nst_jax.cluster.joining import define_cluster
from nst_jax.cluster.remote_sweep import define_batch, paint_sweep
from nst_jax.config import fields
from nst_jax.errors import UserError
from nst_jax.storage.json_files import read_json
from nst_jax.storage.locks import claimed
from nst_jax.sweeps.dry_run import plan_lines
from nst_jax.sweeps.fitting_runs import fitting_runs
from nst_jax.sweeps.sweep_folder import Sweep
from nst_jax.terminal.signals import StopSignal

USAGE = """python -m nst_jax.experiments.bench --config=FILE [--config.FIELD=VALUE ...] [--workdir=FOLDER]
    [--resume] [--dry_run] [--cluster=ADDRESS] [--export=FOLDER]

Paints every content in every style by every recipe, and judges the results. See configs/bench.py."""
EXAMPLE = "configs/bench.py"
SETTINGS = "bench.json"


def main(argv: list[str]) -> int:
    """Paint and judge the bench given by the flags in `argv`, and return the exit status."""
    values = _parse(argv)
    if values.export:
        require_empty(Path(values.export))  # before hours of painting
    settings, sweep = _opened(values)
    cli.use_compilation_cache()
    require_judges(settings)
    if values.dry_run:
        print(*plan_lines(sweep, values.batch), sep="\n")
        return 0
    stop = StopSignal()
    with claimed(sweep.path):
        files.write_json(sweep.path / SETTINGS, dataclasses.asdict(settings))
        finished = paint_sweep(sweep, values.cluster, values.batch, stop)
        if not finished:
            print(f"interrupted; resume with: {cli.resuming('nst_jax.experiments.bench', sweep.path)}")
            return stop.exit_status
        print(f"judging {len(sweep.runs)} pictures", flush=True)
        page = report(sweep, settings)
        if values.export:
            export(sweep, Path(values.export))
    print(f"done: {page}, {sweep.summary()}")
    return 0


def _opened(values: flags.FlagValues) -> tuple[BenchSettings, Sweep]:
    """The settings and runs given by the flags, or those in the folder to resume."""
    read = partial(fields.from_config, BenchSettings)
    folder = cli.work_folder(values)
    if values.resume and values["config"].value is None:
        try:
            return read(read_json(folder / SETTINGS)), Sweep.load(folder)
        except FileNotFoundError as error:
            raise UserError(f"--workdir: {folder} holds no bench to resume (no {SETTINGS})") from error
    settings = cli.settings(values, read, EXAMPLE)
    runs = fitting_runs(planned_runs(settings))
    return settings, Sweep.open(folder, cli.config_name(values), runs, values.resume)


def _parse(argv: list[str]) -> flags.FlagValues:
    values = flags.FlagValues()
    cli.define_resumable(values, argv)
    flags.DEFINE_bool("dry_run", False, "print the plan, its memory and time, and exit", flag_values=values)
    define_batch(values)
    flags.DEFINE_string(
        "export",
        None,
        "a folder for pictures as ArtFID, FID and LPIPS read them",
        flag_values=values,
    )
    define_cluster(values)
    cli.parse(values, argv, USAGE, BenchSettings)
    return values


if __name__ == "__main__":
    cli.run(main)
