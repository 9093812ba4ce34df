"""nst_jax's side of scripts/benchmark.py, which runs this file in a process of its own.

    python scripts/benchmark_jax.py TASK.json

Prints one line of JSON. What it times is the package's own compiled loop, line search and all.
"""

import json
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from nst_jax import cli, images, objective, stylize
from nst_jax import config as configs
from nst_jax.optimize import State, minimize
from nst_jax.run_folder import peak_memory_bytes
from nst_jax.stylize import Job
from nst_jax.weights import topology

PEAK_SIDE = 3072  # of the square matrices whose product gives the machine's peak
PEAK_TRIES = 5


def main() -> None:
    """Do the task."""
    task = json.loads(Path(sys.argv[1]).read_text())
    cli.use_compilation_cache()
    job = stylize.prepare(configs.from_dict(task["config"]))
    kinds = {"inputs": write_inputs, "evaluations": measure_evaluations, "losses": measure_losses}
    print(json.dumps(kinds[task["kind"]](job, task) | {"peak_memory": peak_memory_bytes()}))


def write_inputs(job: Job, task: dict[str, Any]) -> dict[str, Any]:
    """Write what the other side needs, so that both have the same bits; count the arithmetic."""
    config = job.config
    (height, width), style = stylize.sizes_at(job, 1.0)
    order = job.network.layers[: job.network.layers.index(config.active_layers()[-1]) + 1]
    about = {
        "order": order,
        "pool": config.network.pool,
        "channels": job.network.preprocessing.channels,
        "scale": job.network.preprocessing.scale,
        "mean": job.network.preprocessing.mean,
        "std": job.network.preprocessing.std,
        "content": config.active_content(),
        "style": config.active_style(),
        "alpha": config.content_weight,
        "beta": config.style_weight,
    }
    arrays: dict[str, Any] = {key: job.weights.arrays[key] for key in _keys(order)}
    arrays["start"] = stylize.initial_image(job, 1.0)
    arrays["content"] = images.resize(job.content, height, width)
    arrays["style"] = images.resize(job.style, *style)
    np.savez(task["inputs"], about=json.dumps(about), **arrays)
    operations = count_operations(job, height, width)
    device = jax.devices()[0]
    return {
        "pixels": height * width,
        "operations": operations,
        "network": job.weights.name,
        "device": f"{device.platform}: {device.device_kind}",
        "version": f"jax {jax.__version__}",
        "peak": measure_peak(),
    }


def _keys(order: Sequence[str]) -> list[str]:
    return [f"{layer}.{part}" for layer in order if layer.startswith("conv") for part in ("kernel", "bias")]


def count_operations(job: Job, height: int, width: int) -> float:
    """Multiplications and additions of one loss and gradient, done directly.

    Forward, a convolution takes 18 of them per weight and position; the gradient of its input takes as many.
    A Gram matrix takes 2 per entry and position; the gradient as many.
    """
    style, last = job.config.active_style(), job.config.active_layers()[-1]
    total = 0.0
    for layer in topology.convs_up_to(job.config.network.arch, last):
        kernel = job.weights.arrays[f"{layer}.kernel"]
        halvings = topology.block_of(layer) - 1
        positions = (height >> halvings) * (width >> halvings)
        total += 4.0 * kernel.size * positions
        if layer in style:
            total += 4.0 * kernel.shape[-1] ** 2 * positions
    return total


def measure_peak() -> float:
    """Operations per second of a large float32 matrix product: the best of a few tries."""
    matrix = jnp.ones((PEAK_SIDE, PEAK_SIDE), jnp.float32)
    product = jax.jit(lambda a: jnp.matmul(a, a, precision=jax.lax.Precision.HIGHEST))
    best = float("inf")
    for _ in range(PEAK_TRIES + 1):  # the first compiles
        began = time.perf_counter()
        product(matrix).block_until_ready()
        best = min(best, time.perf_counter() - began)
    return 2.0 * PEAK_SIDE**3 / best


def measure_evaluations(job: Job, task: dict[str, Any]) -> dict[str, Any]:
    """Seconds per loss and gradient inside the compiled loop, `rounds` times, and until the first step."""
    baseline = peak_memory_bytes()
    began = time.perf_counter()
    optimizer = objective.optimizer(job.config.optimizer)
    problem = stylize.problem_at(job, 1.0)
    state = optimizer.start(problem, jnp.asarray(stylize.initial_image(job, 1.0)))
    loss = float(state.value)
    state = jax.block_until_ready(optimizer.advance(problem, state, jnp.int32(1)))
    first_step = time.perf_counter() - began
    seconds = []
    for _ in range(task["rounds"]):
        began, before = time.perf_counter(), int(state.evaluations)
        state = jax.block_until_ready(optimizer.advance(problem, state, jnp.int32(task["evaluations"])))
        seconds.append((time.perf_counter() - began) / (int(state.evaluations) - before))
    return {"seconds": seconds, "first_step": first_step, "loss": loss, "baseline_memory": baseline}


def measure_losses(job: Job, task: dict[str, Any]) -> dict[str, Any]:
    """Descend through the config's scales until the loss at full size is `target`, or for `most_steps` there.

    `seconds` begin with pictures and weights in memory; of them `compiling` went into loading programs from
    the cache. `full_evaluations` counts each by its share of the full size's pixels.
    """
    first = objective.total(stylize.problem_at(job, 1.0), jnp.asarray(stylize.initial_image(job, 1.0)))
    descend(job, task)  # fills the cache of programs
    jax.clear_caches()
    began = time.perf_counter()
    found = descend(job, task)
    return found | {"seconds": time.perf_counter() - began, "first_loss": float(first)}


def descend(job: Job, task: dict[str, Any]) -> dict[str, Any]:
    """As `stylize.paint` does it, without its records; at full size it ends at `target`."""
    settings = job.config.optimizer
    optimizer = objective.optimizer(settings)
    state: State | None = None
    compiling = evaluations = 0.0
    for scale in job.config.scales:
        problem, image = stylize.problem_at(job, scale), stylize.initial_image(job, scale)
        if state is not None:
            image = images.resize(np.asarray(state.image), *image.shape[1:3])
        state = optimizer.start(problem, image)
        began = time.perf_counter()
        advance = optimizer.advance.lower(problem, state, jnp.int32(1)).compile()
        compiling += time.perf_counter() - began
        unreached = partial(_above, task["target"] if scale == 1.0 else -np.inf)
        stops = range(1, task["most_steps"] + 1) if scale == 1.0 else [settings.steps]
        state = minimize(optimizer, problem, state, stops, unreached, advance)
        evaluations += int(state.evaluations) * scale**2
    assert state is not None
    loss = float(state.value)
    return {
        "loss": loss,
        "reached": loss <= task["target"],
        "full_evaluations": evaluations,
        "compiling": compiling,
    }


def _above(target: float, state: State) -> bool:
    return float(state.value) > target


if __name__ == "__main__":
    main()
