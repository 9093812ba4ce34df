"""How fast, how large, and against PyTorch: two tables and benchmark.json.

    python scripts/benchmark.py --config=configs/gatys.py [--config.FIELD=VALUE ...]
        [--sizes=128,256,512] [--networks=slim=auto,vgg19=random] [--losses=256] [--fast=configs/fast.py]

Per evaluation, one loss and gradient: ours inside the compiled loop with all that the optimiser adds,
PyTorch's alone, in its faster memory format. Each measurement is a process of its own, ours and theirs in
turns, on the same pictures, weights, threads and objective, whose values are compared first. Memory is a
process's peak, the runtime included. The first step counts from pictures and weights in memory; cold is
with an empty cache of programs. `--losses` are the sizes of the second table: the seconds until the loss
that PyTorch's L-BFGS has after 300 evaluations, ours with the optimiser and scales of `--fast`.
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

WORKERS = {side: Path(__file__).with_name(f"benchmark_{side}.py") for side in ("jax", "torch")}
TOLERANCE = 1e-4  # relative, between the two sides' losses
TURNS = 3  # measurements within a process


def main(argv: list[str]) -> int:
    """Measure, print, write."""
    values = flags.FlagValues()
    cli.define_config(values, argv)
    flags.DEFINE_list("sizes", ["128", "256", "512"], "longer sides, pixels", flag_values=values)
    flags.DEFINE_list("networks", ["slim=auto", "vgg19=random"], "ARCH=WEIGHTS", flag_values=values)
    flags.DEFINE_list("losses", [], "sizes of the race to a loss", flag_values=values)
    flags.DEFINE_list("starts", ["noise", "content"], "where the race begins", flag_values=values)
    flags.DEFINE_string("fast", "configs/fast.py", "whose optimiser races", flag_values=values)
    flags.DEFINE_integer("rounds", 3, "processes per measurement", lower_bound=1, flag_values=values)
    flags.DEFINE_integer("evaluations", 5, "steps of one timing", lower_bound=1, flag_values=values)
    flags.DEFINE_integer("budget", 300, "PyTorch's evaluations in the race", 2, flag_values=values)
    flags.DEFINE_string("workdir", "runs/benchmark", "where benchmark.json goes", flag_values=values)
    cli.parse(values, argv, __doc__)
    base = configs.from_dict(cli.config_value(values, "configs/gatys.py"))
    networks = [(arch, weights) for arch, _, weights in (item.partition("=") for item in values.networks)]
    sizes, raced = ([int(size) for size in chosen] for chosen in (values.sizes, values.losses))
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), values.rounds, values.evaluations, values.budget)
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
    """Runs the workers, each in a process of its own, one after the other."""

    def __init__(self, folder: Path, rounds: int, evaluations: int, budget: int):
        """Keep what passes between them in `folder`."""
        self.folder, self.rounds, self.count, self.budget = folder, rounds, evaluations, budget
        self.against_torch = util.find_spec("torch") is not None
        self.cache = folder / "cache"

    def evaluations(self, config: Config) -> dict[str, Any]:
        """A row of the first table."""
        row = self._inputs(config)
        sides: dict[str, list[dict[str, Any]]] = (
            {"jax": [], "torch": []} if self.against_torch else {"jax": []}
        )
        self.cache = Path(tempfile.mkdtemp(dir=self.folder))
        for _ in range(self.rounds):
            for side, runs in sides.items():
                runs.append(self._run(side, config, "evaluations", rounds=TURNS, evaluations=self.count))
        _agree(*(run["loss"] for runs in sides.values() for run in runs))
        first = [run["first_step"] for run in sides["jax"]]
        row |= {"first_step_cold": first[0], "first_step_warm": min(first[1:], default=None)}
        return row | {side: summary(runs) for side, runs in sides.items()}

    def race(self, config: Config, fast: Config) -> dict[str, Any]:
        """A row of the second table."""
        row = self._inputs(config) | {"start": config.init}
        theirs = self._run("torch", config, "losses", evaluations=self.budget)
        ours = dataclasses.replace(config, optimizer=fast.optimizer, scales=fast.scales)
        found = self._run("jax", ours, "losses", target=theirs["best"], most_steps=self.budget)
        _agree(found["first_loss"], theirs["losses"][0])
        ratio = found["seconds"] / theirs["seconds"][-1]
        return row | {"target": theirs["best"], "jax": found, "torch": theirs, "ratio": ratio}

    def _inputs(self, config: Config) -> dict[str, Any]:
        """Write what both sides read; what is known of the row before anything is timed."""
        about = {"arch": config.network.arch, "size": config.size}
        return about | self._run("jax", config, "inputs")

    def _run(self, side: str, config: Config, kind: str, **task: Any) -> dict[str, Any]:
        """The last line of a worker's output, which is its result."""
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


def _fast(path: str) -> Config:
    """The config of the file `path`, whose optimiser and scales race."""
    values = flags.FlagValues()
    cli.define_config(values, ["", f"--config={path}"])
    values(["", f"--config={path}"])
    return configs.from_dict(cli.config_value(values, path))


def _agree(*losses: float) -> None:
    """Stop where the two sides do not compute the same objective."""
    if not np.allclose(losses, losses[0], rtol=TOLERANCE, atol=0):
        raise RuntimeError(f"the two sides' losses of the same picture differ: {losses}")


if __name__ == "__main__":
    cli.run(main)
