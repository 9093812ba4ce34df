"""Many runs from one config: `python -m nst_jax.sweep --config=configs/sweeps/gatys2015_fig3.py`."""

import time
from pathlib import Path

from absl import flags

from nst_jax import cli, gallery, sweep_plan, sweep_run
from nst_jax.config import from_dict
from nst_jax.errors import UserError
from nst_jax.sweep_run import Sweep

USAGE = """python -m nst_jax.sweep --config=FILE [--vary=FIELD=VALUE,VALUE ...] [--workdir=FOLDER] [--resume]

Paints every run that the config's `sweep(add)` adds, or every combination of the values that --vary gives,
few programs for many runs. See configs/sweeps/. The folder holds a run folder for each, and sheet.png,
table.csv, index.html and sweep.json."""


def main(argv: list[str]) -> int:
    """Run the sweep that the flags in `argv` name; the exit status is returned."""
    values = parse(argv)
    sweep = open_sweep(values)
    cli.use_compilation_cache()
    if not sweep_run.paint(sweep, values.batch):
        print(f"interrupted: go on with --workdir={sweep.path} --resume")
        return cli.EXIT_INTERRUPTED
    page = gallery.write(sweep)
    print(f"done: {page}, {sweep.summary()}")
    return 0


def parse(argv: list[str]) -> flags.FlagValues:
    """The flags in `argv`."""
    values = flags.FlagValues()
    cli.define_resumable(values, argv)
    flags.DEFINE_multi_string(
        "vary",
        [],
        "field=value,value: run with each; given more than once, every combination",
        flag_values=values,
    )
    flags.DEFINE_integer(
        "batch", None, "runs painted together; default: what fits the memory", 1, flag_values=values
    )
    cli.parse(values, argv, USAGE)
    return values


def open_sweep(values: flags.FlagValues) -> Sweep:
    """The sweep that the flags describe, or the one that a resumed folder holds; they must agree."""
    if values.resume and values.workdir is None:
        raise UserError("--resume: say which sweep with --workdir")
    if values["config"].value is None:
        if not values.resume:
            raise UserError("--config: missing; try --config=configs/sweeps/gatys2015_fig3.py")
        return Sweep.load(Path(values.workdir))
    base = cli.config_value(values)
    from_dict(base)
    cells = sweep_plan.cells_of(cli.config_path(values))
    if values.vary:
        cells = sweep_plan.vary(cells, values.vary)
    name = cli.config_name(values)
    path = Path(values.workdir or f"runs/{name}-{time.strftime('%Y%m%d-%H%M%S')}")
    return Sweep.open(path, name, sweep_plan.plan(base, cells), values.resume)


if __name__ == "__main__":
    cli.run(main)
