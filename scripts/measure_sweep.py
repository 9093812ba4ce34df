"""Speedup of a sweep: `python scripts/measure_sweep.py` paints Fig 3 as one sweep and as twenty runs.

Paints the 20 cells of configs/sweeps/gatys2015_fig3.py with the network `slim`, first with `nst_jax.sweep`,
then one by one with `nst_jax.run`, each starting with an empty cache. Prints the wall seconds of both, their
ratio, and the seconds of the first run and of a later one, which finds its program in the cache.
"""

import json
import os
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from absl import flags

from nst_jax import cli
from nst_jax.config.named import run_config
from nst_jax.sweeps.plan import Overrides, cells_of

FIG3 = "configs/sweeps/gatys2015_fig3.py"


def main(argv: list[str]) -> int:
    """Time both ways and print one line of JSON."""
    values = flags.FlagValues()
    flags.DEFINE_integer("size", 128, "longer side, pixels", flag_values=values)
    flags.DEFINE_integer("steps", 60, "steps of each cell", flag_values=values)
    cli.parse(values, argv, __doc__ or "")
    settings = {"size": values.size, "optimizer.steps": values.steps, "network.arch": "slim"}
    fields = [f"--config.{name}={value}" for name, value in settings.items()]
    with tempfile.TemporaryDirectory() as folder:
        sweep = _seconds(["nst_jax.sweep", f"--config={FIG3}", *fields], Path(folder) / "sweep")
        print(f"sweep: {sweep:.1f} s", file=sys.stderr)
        runs = []
        for index, (_, cell) in enumerate(cells_of(run_config(FIG3)[1], FIG3)):
            command = ["nst_jax.run", "--config=configs/gatys.py", *fields, *_flags(cell)]
            runs.append(_seconds(command, Path(folder) / "runs" / str(index)))
            print(f"run {index}: {runs[-1]:.1f} s", file=sys.stderr)
    result = {
        **settings,
        "sweep_seconds": round(sweep, 1),
        "runs_seconds": round(sum(runs), 1),
        "ratio": round(sum(runs) / sweep, 2),
        "first_run_seconds": round(runs[0], 1),
        "later_run_seconds": round(statistics.median(runs[1:]), 1),
    }
    print(json.dumps(result))
    return 0


def _flags(cell: Overrides) -> list[str]:
    """Return the fields of a cell as flags of `nst_jax.run`; unused layers get an explicit weight of 0."""
    weight, layers = cell["content_weight"], cell["style_layers"]
    weights = {f"conv{block}_1": 0.0 for block in range(1, 6)} | layers
    layer_flags = [f"--config.style_layers.{layer}={value}" for layer, value in weights.items()]
    return [f"--config.content_weight={weight}", *layer_flags]


def _seconds(command: list[str], workdir: Path) -> float:
    """Return the wall seconds of a command with startup; those with the same parent folder share a cache."""
    cache = workdir.parent / f"{workdir.parent.name}-{command[0]}-cache"
    began = time.monotonic()
    result = subprocess.run(
        [sys.executable, "-m", *command, f"--workdir={workdir}"],
        env={**os.environ, "NST_JAX_CACHE": str(cache)},
        capture_output=True,
        text=True,
    )
    if result.returncode:
        raise RuntimeError(f"{shlex.join(command)}: {result.stderr}")
    return time.monotonic() - began


if __name__ == "__main__":
    cli.run(main)
