"""Many runs from one config: `python -m nst_jax.sweep --config=configs/sweeps/gatys2015_fig3.py`."""

import sys
import types
from collections.abc import Callable
from typing import Any

from absl import flags

from nst_jax import cli
from nst_jax.cluster.joining import define_cluster
from nst_jax.cluster.remote_sweep import define_batch, paint_sweep
from nst_jax.config import Config, from_dict
from nst_jax.config.tables import extensible
from nst_jax.errors import UserError, unknown
from nst_jax.preview.flag import define_preview, previewed
from nst_jax.runs.logs.following import define_log, logged
from nst_jax.storage.locks import claimed
from nst_jax.sweeps import gallery, plan
from nst_jax.sweeps.collecting import collect_results
from nst_jax.sweeps.combining import combined, read_axes
from nst_jax.sweeps.dry_run import plan_lines
from nst_jax.sweeps.fitting_runs import fitting_runs
from nst_jax.sweeps.sweep_folder import Sweep
from nst_jax.terminal.signals import StopSignal

USAGE = """python -m nst_jax.sweep --config=FILE [--vary=FIELD=VALUE,VALUE ...] [--zip=FIELD=VALUE,VALUE ...]
    [--sample=N] [--seeds=N] [--sweep=NAME] [--workdir=FOLDER] [--resume] [--dry_run]

Performs every run that the config's `sweep(add)` adds, with every combination of the --vary values. Runs with
the same shapes and network share one compiled program. The sweep folder contains one run folder per run, plus
sheet.png, table.csv, index.html and sweep.json. See configs/sweeps/ for examples."""
EXAMPLE = "configs/sweeps/gatys2015_fig3.py"


def main(argv: list[str]) -> int:
    """Run the sweep given by the flags in `argv` and return the exit status."""
    values = parse_flags(argv)
    sweep = open_sweep(values)
    cli.use_compilation_cache()
    if values.dry_run:
        print(*plan_lines(sweep, values.batch), sep="\n")
        return 0
    stop = StopSignal()
    with claimed(sweep.path):
        with previewed(values, sweep.path), logged(values, sweep.path):
            finished = paint_sweep(sweep, values.cluster, values.batch, stop)
        if not finished:
            print(f"interrupted; resume with: {cli.resuming('nst_jax.sweep', sweep.path)}")
            return stop.exit_status
        print(f"comparing {len(sweep.runs)} pictures for the sheet, the table and the gallery", flush=True)
        page = gallery.write_gallery(sweep)
        collect_results(sweep)
    print(f"done: {page}, {sweep.summary()}")
    return 0


def parse_flags(argv: list[str]) -> flags.FlagValues:
    """Parse the flags in `argv`."""
    values = flags.FlagValues()
    cli.define_resumable(values, argv, extensible)
    flags.DEFINE_multi_string(
        "vary",
        [],
        "field=value,value: one run per value; if repeated, one run per combination of values; "
        "content=folder:PATH: one run per picture",
        flag_values=values,
    )
    flags.DEFINE_multi_string(
        "zip",
        [],
        "as --vary, but the values of all fields given by --zip advance together",
        flag_values=values,
    )
    flags.DEFINE_integer(
        "sample",
        None,
        "draw so many random combinations of the --vary values, which may be ranges: "
        "content_weight=log:1e-3..1, style_scale=0.5..2",
        1,
        flag_values=values,
    )
    flags.DEFINE_integer(
        "seeds",
        None,
        "repeat each run with so many seeds; the table has means and intervals",
        1,
        flag_values=values,
    )
    flags.DEFINE_string("sweep", None, "use sweep_NAME(add) of the config file", flag_values=values)
    flags.DEFINE_bool("dry_run", False, "print the plan, its memory and time, and exit", flag_values=values)
    define_batch(values)
    define_cluster(values)
    define_preview(values)
    define_log(values)
    cli.parse(values, argv, USAGE, Config)
    return values


def open_sweep(values: flags.FlagValues) -> Sweep:
    """The sweep given by the flags, or the one in the folder to resume; the two must agree."""
    if values.resume and values["config"].value is None:
        return Sweep.load(cli.work_folder(values))
    base = cli.config_value(values, EXAMPLE)
    config = cli.settings(values, from_dict, EXAMPLE)
    cells = plan.cells_of(_adding(values.sweep), cli.config_path(values))
    vary, in_step = read_axes("--vary", values.vary), read_axes("--zip", values.zip)
    seeds = range(config.seed, config.seed + (values.seeds or 0))
    runs = plan.plan_runs(base, combined(cells, vary, in_step, values.sample or 0, seeds))
    plan.warn_of_repeats(runs, cli.given_fields(values, config))
    runs = fitting_runs(runs)
    return Sweep.open(cli.work_folder(values), cli.config_name(values), runs, values.resume)


def _adding(name: str | None) -> Callable[..., None] | None:
    """The function of the config file that adds the runs: `sweep`, or `sweep_NAME`; None if it has none.

    Raises:
        UserError: there is none of that name, or only some with names, and none is chosen.
    """
    program = cli.config_program()
    named = {key.removeprefix("sweep_"): value for key, value in program.items() if key.startswith("sweep_")}
    if name is not None and name not in named:
        raise unknown("--sweep", name, named)
    if name is None and named and "sweep" not in program:
        raise UserError(f"--sweep: choose one of the sweeps in this config: {', '.join(named)}")
    return named[name] if name is not None else program.get("sweep")


class _Command(types.ModuleType):
    """Makes this module callable as `nst_jax.sweep(...)`, which it hides once it has been imported."""

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        from nst_jax.api import sweeping

        return sweeping.sweep(*arguments, **keywords)


sys.modules[__name__].__class__ = _Command

if __name__ == "__main__":
    cli.run(main)
