"""Benchmark of time and memory, compared with PyTorch: prints two tables and writes benchmark.json.

    python scripts/benchmark.py --config=configs/gatys.py [--config.FIELD=VALUE ...]
        [--sizes=128,256,512] [--networks=slim=auto,vgg19=vgg19-8bit] [--losses=256] [--fast=configs/fast.py]
        [--compiled]

The first table is per evaluation, that is, one loss and gradient: for nst_jax inside the compiled loop,
including the optimiser; for PyTorch alone, in the faster of two memory formats and, with `--compiled`,
torch.compile. Every measurement is a separate process, alternating between the two, with the same pictures,
weights, threads and objective, whose values must agree. The columns of bfloat16, which rounds, are nst_jax
with that `network.precision` and PyTorch with autocast. Memory is the peak of the process, including the
runtime. The first step is timed from pictures and weights in memory; `cold` is with an empty compilation
cache.

The second table, at the sizes `--losses`, is a race: the seconds that nst_jax, with the optimiser and scales
of `--fast`, needs to reach the loss of PyTorch's L-BFGS after 300 evaluations.
"""

import dataclasses
import json
import os
import subprocess
import sys
import tempfile
from importlib import util
from pathlib import Path
from typing import Any

import numpy as np
from absl import flags
from benchmark_table import growth, machine, report, summary

from nst_jax import cli, files
from nst_jax import config as configs
from nst_jax.config import Config
from nst_jax.config.tables import extensible

WORKERS = {side: Path(__file__).with_name(f"benchmark_{side}.py") for side in ("jax", "torch")}
TOLERANCE = 1e-4  # relative difference between the losses of both sides
TURNS = 3  # measurements per process


def main(argv: list[str]) -> int:
    """Run all measurements, and print and write the results."""
    values = flags.FlagValues()
    cli.define_config(values, argv, extensible)
    flags.DEFINE_list("sizes", ["128", "256", "512"], "longer sides, pixels", flag_values=values)
    flags.DEFINE_list("networks", ["slim=auto", "vgg19=vgg19-8bit"], "ARCH=WEIGHTS", flag_values=values)
    flags.DEFINE_list("losses", [], "sizes for the race to a loss, pixels", flag_values=values)
    flags.DEFINE_list("starts", ["noise", "content"], "initial images of the race", flag_values=values)
    flags.DEFINE_string("fast", "configs/fast.py", "config with the race's optimiser", flag_values=values)
    flags.DEFINE_integer("rounds", 3, "processes per measurement", lower_bound=1, flag_values=values)
    flags.DEFINE_integer("evaluations", 5, "evaluations per timing", lower_bound=1, flag_values=values)
    flags.DEFINE_integer("budget", 300, "evaluations of PyTorch in the race", 2, flag_values=values)
    flags.DEFINE_bool("compiled", False, "also measure torch.compile", flag_values=values)
    flags.DEFINE_bool("bfloat16", True, "also measure nst_jax in bfloat16", flag_values=values)
    flags.DEFINE_string("workdir", "runs/benchmark", "output folder", flag_values=values)
    cli.parse(values, argv, __doc__)
    base = configs.from_dict(cli.config_value(values, "configs/gatys.py"))
    networks = [(arch, weights) for arch, _, weights in (item.partition("=") for item in values.networks)]
    sizes, raced = ([int(size) for size in chosen] for chosen in (values.sizes, values.losses))
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(
            Path(folder),
            values.rounds,
            values.evaluations,
            values.budget,
            values.compiled,
            values.bfloat16,
        )
        evaluations = [
            bench.evaluations(_with(base, arch, weights, size))
            for arch, weights in networks
            for size in sizes
        ]
        losses = [
            bench.race(_with(base, arch, weights, size, init=start), _fast(values.fast))
            for arch, weights in networks
            for size in raced
            for start in values.starts
            if bench.against_torch
        ]
    rows = {"evaluations": evaluations, "growth": growth(evaluations), "losses": losses}
    measured = {"machine": machine(), "against_torch": bench.against_torch, **rows}
    print(report(measured))
    files.write_json(Path(values.workdir) / "benchmark.json", measured)
    return 0


class Bench:
    """Runs the workers one after another, each in a separate process."""

    def __init__(
        self,
        folder: Path,
        rounds: int,
        evaluations: int,
        budget: int,
        compiled: bool = False,
        bfloat16: bool = False,
    ):
        """Use `folder` for the files that are exchanged with the workers."""
        self.folder, self.rounds, self.count, self.budget = folder, rounds, evaluations, budget
        self.compiled, self.bfloat16 = compiled, bfloat16
        self.against_torch = util.find_spec("torch") is not None
        self.cache = folder / "cache"

    def evaluations(self, config: Config) -> dict[str, Any]:
        """Return a row of the first table."""
        row = self._inputs(config)
        sides: dict[str, list[dict[str, Any]]] = (
            {"jax": [], "torch": []} if self.against_torch else {"jax": []}
        )
        self.cache = Path(tempfile.mkdtemp(dir=self.folder))
        task = {"rounds": TURNS, "evaluations": self.count, "compiled": self.compiled}
        for _ in range(self.rounds):
            for side, runs in sides.items():
                runs.append(self._run(side, config, "evaluations", **task))
        _agree(*(run["loss"] for runs in sides.values() for run in runs))
        cold, *warm = (run["first_step"] for run in sides["jax"])
        best = min(warm, key=lambda step: step["total"], default=None)
        row |= {"first_step_cold": cold, "first_step_warm": best}
        if self.bfloat16:
            row["jax_bfloat16"] = self._run("jax", _in_bfloat16(config), "evaluations", **task)["seconds"]
        return row | {side: summary(runs) for side, runs in sides.items()}

    def race(self, config: Config, fast: Config) -> dict[str, Any]:
        """Return a row of the second table."""
        row = self._inputs(config) | {"start": config.init}
        theirs = self._run("torch", config, "losses", evaluations=self.budget)
        raced = dataclasses.replace(config, optimizer=fast.optimizer, scales=fast.scales)
        ours = self._run("jax", raced, "losses", target=theirs["best"], most_steps=self.budget)
        _agree(ours["first_loss"], theirs["losses"][0])
        ratio = ours["seconds"] / theirs["seconds"][-1]
        return row | {"target": theirs["best"], "jax": ours, "torch": theirs, "ratio": ratio}

    def _inputs(self, config: Config) -> dict[str, Any]:
        """Write the inputs of both sides; return the part of a row that needs no timing."""
        row = {"arch": config.network.arch, "size": config.size}
        return row | self._run("jax", config, "inputs")

    def _run(self, side: str, config: Config, kind: str, **task: Any) -> dict[str, Any]:
        """Run a worker, and return its result, the last line of its output."""
        file = self.folder / "task.json"
        inputs, threads = str(self.folder / "inputs.npz"), len(os.sched_getaffinity(0))
        common = {"kind": kind, "inputs": inputs, "threads": threads, "config": configs.to_dict(config)}
        file.write_text(json.dumps({**common, **task}))
        done = subprocess.run(
            [sys.executable, WORKERS[side], file],
            env={**os.environ, "NST_JAX_CACHE": str(self.cache)},
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise RuntimeError(f"{WORKERS[side].name} failed: {done.stderr}")
        print(f"{side}: {kind} of {config.network.arch} at {config.size} px", file=sys.stderr)
        return json.loads(done.stdout.splitlines()[-1])


def _with(base: Config, arch: str, weights: str, size: int, **fields: Any) -> Config:
    network = dataclasses.replace(base.network, arch=arch, weights=weights or "auto")
    return dataclasses.replace(base, network=network, size=size, **fields)


def _in_bfloat16(config: Config) -> Config:
    return dataclasses.replace(config, network=dataclasses.replace(config.network, precision="bfloat16"))


def _fast(path: str) -> Config:
    """Load the config file `path`."""
    values = flags.FlagValues()
    cli.define_config(values, ["", f"--config={path}"])
    values(["", f"--config={path}"])
    return configs.from_dict(cli.config_value(values, path))


def _agree(*losses: float) -> None:
    """Raise if the two sides do not compute the same objective."""
    if not np.allclose(losses, losses[0], rtol=TOLERANCE, atol=0):
        raise RuntimeError(f"the losses of the two sides differ for the same picture: {losses}")


if __name__ == "__main__":
    cli.run(main)
