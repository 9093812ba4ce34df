"""The nst_jax worker of scripts/benchmark.py, which runs this file in a separate process.

    python scripts/benchmark_jax.py TASK.json

Prints one line of JSON. It times the compiled loop of the package, including the line search.
"""

import json
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from nst_jax import cli, images
from nst_jax import config as configs
from nst_jax.config.stages import stages_of
from nst_jax.methods.gatys import Session
from nst_jax.networks import receptive
from nst_jax.optimizers.lanes import Lane
from nst_jax.optimizers.loop import Look
from nst_jax.runs.machine import peak_memory_bytes
from nst_jax.transfer.job import Job
from nst_jax.transfer.preparing import prepare

PEAK_SIDE = 3072  # side of the square matrices whose product measures the machine's peak
PEAK_TRIES = 5
WATCHED = 5  # steps between two looks at the loss; a run looks every `log_every` steps


def main() -> None:
    """Run the task in the file named on the command line."""
    task = json.loads(Path(sys.argv[1]).read_text())
    cli.use_compilation_cache()
    job = prepare(configs.from_dict(task["config"]))
    kinds = {"inputs": write_inputs, "evaluations": measure_evaluations, "losses": measure_losses}
    print(json.dumps(kinds[task["kind"]](job, task) | {"peak_memory": peak_memory_bytes()}))


def write_inputs(job: Job, task: dict[str, Any]) -> dict[str, Any]:
    """Write the inputs of the other side, so that both use the same bits; count operations."""
    config = job.config
    (style,) = job.styles
    (painting,) = style.pictures
    height, width = job.size_at(1.0)
    order = job.network.layers[: job.network.layers.index(config.active_layers()[-1]) + 1]
    about = {
        "order": order,
        "pool": config.network.pool,
        "channels": job.weights.preprocessing.channels,
        "scale": job.weights.preprocessing.scale,
        "mean": job.weights.preprocessing.mean,
        "std": job.weights.preprocessing.std,
        "content": config.active_content(),
        "style": config.active_style(),
        "alpha": config.content_weight,
        "beta": config.style_weight,
        "relative": config.relative_losses,
    }
    weighted = [layer for layer in order if f"{layer}.kernel" in job.weights.arrays]
    keys = [f"{layer}.{part}" for layer in weighted for part in ("kernel", "bias")]
    arrays: dict[str, Any] = {key: job.weights.arrays[key] for key in keys}
    arrays["start"] = job.initial_image(1.0)
    arrays["content"] = images.resize(job.content, height, width)
    arrays["style"] = images.resize(painting, *job.style_size(style, painting, 1.0))
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


def count_operations(job: Job, height: int, width: int) -> float:
    """Count the multiplications and additions of one loss and gradient, with direct convolutions.

    A convolution takes 2 per weight and position, and the gradient of its input takes as many. A Gram matrix
    takes 2 per entry and position, and its gradient as many.
    """
    style, last = job.config.active_style(), job.config.active_layers()[-1]
    total, layers = 0.0, job.network.geometry
    for layer in (layer.name for layer in receptive.up_to(layers, last) if layer.weighted):
        kernel = job.weights.arrays[f"{layer}.kernel"]
        positions = np.prod(receptive.shape(layers, layer, height, width))
        total += 4.0 * kernel.size * positions
        if layer in style:
            total += 4.0 * kernel.shape[-1] ** 2 * positions
    return total


def measure_peak() -> float:
    """Return the operations per second of a large float32 matrix product, the best of several tries."""
    matrix = jnp.ones((PEAK_SIDE, PEAK_SIDE), jnp.float32)
    product = jax.jit(lambda a: jnp.matmul(a, a, precision=jax.lax.Precision.HIGHEST))
    best = float("inf")
    for _ in range(PEAK_TRIES + 1):  # the first one includes compilation
        began = time.perf_counter()
        product(matrix).block_until_ready()
        best = min(best, time.perf_counter() - began)
    return 2.0 * PEAK_SIDE**3 / best


def measure_evaluations(job: Job, task: dict[str, Any]) -> dict[str, Any]:
    """Measure the seconds per evaluation inside the compiled loop, `rounds` times, and to the first step.

    Of the first step, it gives the total and the parts: the targets, with their programs; and of both the
    targets and the step, tracing, and compiling programs or loading them from the cache.
    """
    baseline, compiling = peak_memory_bytes(), compilation_seconds()
    began = time.perf_counter()
    session = Session([job])
    objective = jax.tree.map(lambda leaf: leaf[jnp.newaxis], session.objective(job, 1.0))
    targets = time.perf_counter() - began
    image, rate = job.initial_image(1.0)[np.newaxis], np.ones(1, np.float32)
    lane = session.lanes.start(session.network, objective, image, rate)

    def advance(lane: Lane, evaluations: int) -> Lane:
        how_far = jnp.int32(10**6), jnp.int32(evaluations), jnp.asarray(False)
        return jax.block_until_ready(session.lanes.advance(session.network, objective, lane, *how_far))

    lane = advance(lane, 1)
    loss = float(lane.state.value[0])
    first_step = {"total": time.perf_counter() - began, "targets": targets, **compiling}
    seconds = []
    for _ in range(task["rounds"]):
        began, before = time.perf_counter(), int(lane.state.evaluations[0])
        lane = advance(lane, task["evaluations"])
        seconds.append((time.perf_counter() - began) / (int(lane.state.evaluations[0]) - before))
    return {"seconds": seconds, "first_step": first_step, "loss": loss, "baseline_memory": baseline}


def compilation_seconds() -> dict[str, float]:
    """Return totals that grow from now on: seconds of tracing, and of compiling programs or loading them."""
    parts = {
        "/jax/core/compile/jaxpr_trace_duration": "tracing",
        "/jax/core/compile/jaxpr_to_mlir_module_duration": "tracing",
        "/jax/core/compile/backend_compile_duration": "programs",
    }
    totals = dict.fromkeys(parts.values(), 0.0)

    def add(event: str, duration_secs: float, **_: str | int) -> None:
        if event in parts:
            totals[parts[event]] += duration_secs

    jax.monitoring.register_event_duration_secs_listener(add)
    return totals


def measure_losses(job: Job, task: dict[str, Any]) -> dict[str, Any]:
    """Optimise through all scales until the loss at full size reaches `target`, or for `most_steps` there.

    `seconds` count from pictures and weights in memory, and include loading programs from the cache.
    `full_evaluations` weights each evaluation by its number of pixels relative to the full size.
    """
    session = Session([job])
    loop = session.begin([job], stages_of(job.config)[-1], job.initial_image(1.0)[np.newaxis])
    loop.run_to(0, lambda look: True)
    first = loop.look()
    descend(job, task)  # fills the compilation cache
    jax.clear_caches()
    began = time.perf_counter()
    result = descend(job, task)
    return result | {"seconds": time.perf_counter() - began, "first_loss": float(first.value[0])}


def descend(job: Job, task: dict[str, Any]) -> dict[str, Any]:
    """Optimise like `nst_jax.transfer.painting`, but without records; at full size, stop at `target`."""
    session = Session([job])
    image: np.ndarray | None = None
    evaluations = 0.0
    for stage in stages_of(job.config):
        start = job.initial_image(stage.scale)
        if image is not None:
            start = images.resize(image, *start.shape[1:3])
        loop = session.begin([job], stage, start[np.newaxis])
        watch = partial(_above, task["target"] if stage.scale == 1.0 else -np.inf)
        last = task["most_steps"] if stage.scale == 1.0 else stage.steps
        for stop in (*range(WATCHED, last, WATCHED), last):
            if not loop.run_to(stop, watch):
                break
        look, image = loop.look(), np.asarray(loop.state.variable[0])
        evaluations += int(look.evaluations[0]) * stage.scale**2
    loss = float(look.value[0])
    return {"loss": loss, "reached": loss <= task["target"], "full_evaluations": evaluations}


def _above(target: float, look: Look) -> bool:
    return float(look.value[0]) > target


if __name__ == "__main__":
    main()
