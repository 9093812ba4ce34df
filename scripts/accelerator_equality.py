"""Equality checks of scripts/accelerator_check.py; as a program, the float64 reference for them.

JAX_ENABLE_X64=1 JAX_PLATFORMS=cpu python scripts/accelerator_equality.py SIZE FILE.npz
"""

import dataclasses
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from accelerator_report import Report
from accelerator_runs import losses_at, nst_run
from accelerator_sizes import NETWORKS

from nst_jax.config import Config, NetworkConfig
from nst_jax.methods.gatys import Session
from nst_jax.transfer.preparing import prepare

ON_CPU = {"JAX_PLATFORMS": "cpu"}
# Limits of relative differences, several times those that rounding gives with the bundled network: the
# factors of products have 24, 11 and 8 significant bits.
LIMITS = {"float32": 1e-4, "tf32": 0.02, "bfloat16": 0.15}
# Rounding grows along a run: after 50 steps, the losses of two machines differ in the third digit.
RUNS_LIMIT = 0.02


def compare_objectives(report: Report, asked: dict[str, Any], folder: Path) -> None:
    """Compare losses and gradients on the device, in each precision, with float64 on the CPU."""
    size, file = asked["size"], folder / "reference.npz"
    subprocess.run(
        [sys.executable, __file__, str(size), file],
        env={**os.environ, **ON_CPU, "JAX_ENABLE_X64": "1"},
        check=True,
    )
    reference = np.load(file)
    for precision in asked["precisions"]:
        for arch, weights in NETWORKS:
            terms, gradients = evaluate(NetworkConfig(arch, weights=weights, precision=precision), size)
            expected = {name: float(reference[f"{arch} {name}"]) for name in terms}
            apart = {name: abs(terms[name] - value) / abs(value) for name, value in expected.items() if value}
            truths = reference[f"{arch} gradients"]
            flat = (each.reshape(len(each), -1) for each in (gradients - truths, truths))
            norms = [np.linalg.norm(each, axis=1) for each in flat]
            of_gradients = norms[0] / norms[1]
            # Where a ReLU's input rounds across 0, the gradient changes by 1e-3 at once: hence the median.
            of_gradient = float(np.median(of_gradients))
            worst = max(apart, key=lambda name: apart[name])
            report.row(
                f"Relative difference to float64 on the CPU, {size} px",
                network=arch,
                precision=precision,
                total=apart["total"],
                worst_term=f"{worst}: {apart[worst]:.1e}",
                gradient=of_gradient,
                worst_gradient=float(np.max(of_gradients)),
            )
            report.check(f"{arch}, {precision}: loss", apart["total"], LIMITS[precision])
            report.check(f"{arch}, {precision}: gradient", of_gradient, LIMITS[precision])


def evaluate(network: NetworkConfig, size: int) -> tuple[dict[str, float], np.ndarray]:
    """Return the terms of the loss of the style picture, and gradients, in JAX's default type.

    The gradients are those of the style picture and its reflections. Not of noise, which depends on the type,
    nor of the content, whose content loss is 0.
    """
    job = prepare(Config(size=size, init="style", network=network))
    kind = jnp.result_type(float)  # float64 with JAX_ENABLE_X64
    job = dataclasses.replace(job, network=jax.tree.map(lambda leaf: leaf.astype(kind), job.network))
    session = Session([job])
    objective, image = session.objective(job, 1.0), jnp.asarray(job.initial_image(1.0), kind)
    program = jax.jit(session.lanes.optimizer.evaluate)
    pictures = (image, image[:, ::-1], image[:, :, ::-1])
    found = [program(session.network, objective, picture) for picture in pictures]
    gradients = np.concatenate([np.asarray(each.grad, np.float64) for each in found])
    return {name: float(term) for name, term in found[0].terms.items()}, gradients


def compare_runs(report: Report, asked: dict[str, Any], folder: Path) -> None:
    """Run on the CPU and the device side by side, then again with the same seed, and with a new cache."""
    fields = {
        "network.arch": "slim",
        "size": asked["size"],
        "optimizer.steps": asked["steps"],
        "log_every": max(1, asked["steps"] // 5),
    }
    on_cpu = nst_run(folder / "cpu", environment=ON_CPU, **fields)
    first = nst_run(folder / "first", **fields)
    expected = losses_at(on_cpu)
    for step, loss in losses_at(first).items():
        apart = abs(loss - expected[step]) / expected[step]
        report.row(
            f"The same run on the CPU and the device, slim, {asked['size']} px",
            step=step,
            cpu=expected[step],
            device=loss,
            relative_difference=apart,
        )
    report.check("the first loss on the CPU and the device", _apart(expected, losses_at(first), 0), 1e-4)
    report.check(
        "the last loss on the CPU and the device", _apart(expected, losses_at(first), -1), RUNS_LIMIT
    )
    report.picture("on the CPU", on_cpu.folder / "result.png")
    report.picture("on the device", first.folder / "result.png")
    new_cache = {"NST_JAX_CACHE": str(folder / "new_cache")}
    for name, environment in (("again", {}), ("with programs compiled anew", new_cache)):
        run = nst_run(folder / name.replace(" ", "_"), environment=environment, **fields)
        values = int(np.sum(run.pixels() != first.pixels()))
        same = losses_at(run) == losses_at(first)
        report.row("The same seed twice", run=name, values_that_differ=values, same_losses=same)
        report.check(f"the same seed {name}: values of the picture that differ", values, 0)


def _apart(expected: dict[int, float], found: dict[int, float], index: int) -> float:
    ours, theirs = list(found.values())[index], list(expected.values())[index]
    return abs(ours - theirs) / theirs


def main() -> None:
    """Write the terms and gradients of all networks, by direct convolutions."""
    size, file = int(sys.argv[1]), sys.argv[2]
    arrays: dict[str, Any] = {}
    for arch, weights in NETWORKS:
        terms, gradients = evaluate(NetworkConfig(arch, weights=weights, conv="direct"), size)
        arrays |= {f"{arch} {name}": term for name, term in terms.items()} | {f"{arch} gradients": gradients}
    np.savez(file, **arrays)


if __name__ == "__main__":
    main()
