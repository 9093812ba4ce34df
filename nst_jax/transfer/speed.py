"""How long a run will take on a CPU, predicted before it starts."""

import functools
import math
import time
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from nst_jax.config.stages import stages_of
from nst_jax.losses.style import STYLE_LOSSES
from nst_jax.networks import winograd
from nst_jax.networks.architectures import architecture
from nst_jax.networks.conv import conv3x3
from nst_jax.networks.layers import up_to
from nst_jax.networks.trained import Weights
from nst_jax.runs.progress import EVALUATIONS_PER_STEP, roughly
from nst_jax.transfer.job import Job
from nst_jax.weights.embedded import slim

# Fitted to the table "Speed" of the README: Winograd's convolutions take half of the time of direct ones;
# pooling, losses and the optimiser that of so many multiply-adds per pixel. Tiles compute borders twice.
WINOGRAD, OTHERS, TILED = 0.5, 9_400, 1.5
# Seconds from which a faster network is worth a mention.
LONG = 120
_PROBE = (1, 64, 64, 64)
_PROBES = 9


def predicted_seconds(job: Job, weights: Weights | None = None) -> float | None:
    """Return how long `job` will take here, or would with other `weights`, to a factor of about 1.5.

    Compilation is not included. None on an accelerator, where runs are short, or if no rule is known.
    """
    config = job.config
    if jax.default_backend() != "cpu" or config.method != "optimize":
        return None
    costs = zip(stages_of(config), evaluation_costs(job, weights), strict=True)
    total = EVALUATIONS_PER_STEP * sum(stage.steps * cost for stage, cost in costs)
    return total / _multiply_adds_per_second()


def evaluation_costs(job: Job, weights: Weights | None = None) -> list[float]:
    """Return the multiply-adds of an evaluation at each stage of `job`, there and back, with its `weights`.

    A style loss may have a part that is the same at every size: at small ones, it takes most of the time.
    """
    config, weights = job.config, weights or job.weights
    deepest, prepared = config.active_layers()[-1], config.network.conv != "direct"
    network = _multiply_adds(weights, deepest, prepared) * (TILED if config.tile else 1)
    fixed = len({style.region for style in job.styles}) * sum(
        STYLE_LOSSES[loss].fixed_cost(_filters(weights, layer))
        for layer in config.active_style()
        for loss in config.losses_at(layer)
    )
    sizes = [math.prod(job.size_at(stage.scale)) for stage in stages_of(config)]
    return [2 * size * (network + OTHERS) + fixed for size in sizes]


def time_text(job: Job) -> str:
    """Describe how long `job` will take, with the flags of a faster network if it is long; or return ''."""
    seconds = predicted_seconds(job)
    if seconds is None:
        return ""
    text = f", {roughly(seconds)}"
    if seconds < LONG:
        return text
    other = slim()
    if job.weights.arch == other.arch or not _covers(other, job.config.active_layers()):
        return text
    flags = f"--config.network.arch={other.arch}"
    if job.config.network.weights != "auto":
        flags += " --config.network.weights=auto"
    faster = predicted_seconds(job, other) or 0.0
    return f"{text}; with {flags}, an approximation of VGG-19, {roughly(faster)}"


def _covers(weights: Weights, layers: Sequence[str]) -> bool:
    whole = architecture(weights.arch)
    return set(layers) <= set(whole.names) and set(whole.weighted_up_to(layers[-1])) <= set(weights.layers())


def _multiply_adds(weights: Weights, deepest: str, prepared: bool) -> float:
    """The multiply-adds per pixel, as of direct convolutions, of one pass to the layer `deepest`."""
    density, total = 1.0, 0.0  # positions per pixel
    for layer in up_to(architecture(weights.arch).layers, deepest):
        density /= layer.stride**2
        for filters in layer.convolutions():
            shape = weights.arrays[f"{filters.name}.kernel"].shape
            fast = prepared and shape[:2] == (3, 3) and layer.stride == 1 and winograd.pays(shape)
            total += math.prod(shape) * density * (WINOGRAD if fast else 1)
    return total


def _filters(weights: Weights, name: str) -> int:
    """The filters of the last convolution up to the layer `name`."""
    layers = up_to(architecture(weights.arch).layers, name)
    *_, last = (filters for layer in layers for filters in layer.convolutions())
    return weights.arrays[f"{last.name}.kernel"].shape[-1]


@functools.cache
def _multiply_adds_per_second() -> float:
    """The speed of direct 3x3 convolutions in this process, measured in a few milliseconds."""
    x, kernel = jnp.ones(_PROBE), jnp.ones((3, 3, _PROBE[-1], _PROBE[-1]))
    program, seconds = jax.jit(conv3x3), []
    program(x, kernel).block_until_ready()
    for _ in range(_PROBES):
        began = time.perf_counter()
        program(x, kernel).block_until_ready()
        seconds.append(time.perf_counter() - began)
    return math.prod(_PROBE[1:3]) * kernel.size / float(np.median(seconds))
