"""How long a run will take on a CPU, predicted before it starts."""

import functools
import math
import time

import jax
import jax.numpy as jnp
import numpy as np

from nst_jax.config.stages import stages_of
from nst_jax.methods.transfers import method_of
from nst_jax.networks.architectures import architecture
from nst_jax.networks.conv import conv3x3
from nst_jax.networks.trained import Weights
from nst_jax.runs.progress import EVALUATIONS_PER_STEP, roughly
from nst_jax.transfer.job import Job
from nst_jax.weights.embedded import slim

# Seconds from which a faster network is worth a mention.
LONG = 120
_PROBE = (1, 64, 64, 64)  # like a layer of VGG, for a small picture
_PROBES = 9  # their median leaves out those that other processes disturbed


def predicted_seconds(job: Job, weights: Weights | None = None) -> float | None:
    """Return how long `job` will take here, or would with other `weights`, to a factor of about 1.5.

    Compilation is not included. None on an accelerator, where runs are short, or if no rule is known.
    """
    costs = method_of(job).costs
    if jax.default_backend() != "cpu" or costs is None:
        return None
    parts = zip(stages_of(job.config), costs(job, weights or job.weights), strict=True)
    total = EVALUATIONS_PER_STEP * sum(stage.steps * cost for stage, cost in parts)
    return total / _multiply_adds_per_second()


def time_text(job: Job) -> str:
    """Describe how long `job` will take, with the flags of a faster network if it is long; or return ''."""
    seconds = predicted_seconds(job)
    if seconds is None:
        return ""
    text = f", {roughly(seconds)}"
    if seconds < LONG:
        return text
    other, layers = slim(), job.config.active_layers()
    whole = architecture(other.arch)
    if job.weights.arch == other.arch or not set(layers) <= set(whole.names):
        return text
    if not set(whole.weighted_up_to(layers[-1])) <= set(other.layers()):
        return text
    flags = f"--config.network.arch={other.arch}"
    if job.config.network.weights != "auto":
        flags += " --config.network.weights=auto"
    faster = predicted_seconds(job, other) or 0.0
    return f"{text}; with {flags}, an approximation of VGG-19, {roughly(faster)}"


@functools.cache
def _multiply_adds_per_second() -> float:
    """The speed of direct 3x3 convolutions in this process, measured in a few milliseconds."""
    x, kernel = jnp.ones(_PROBE), jnp.ones((3, 3, _PROBE[-1], _PROBE[-1]))
    program, seconds = jax.jit(conv3x3), []
    # The first call compiles.
    program(x, kernel).block_until_ready()
    for _ in range(_PROBES):
        began = time.perf_counter()
        program(x, kernel).block_until_ready()
        seconds.append(time.perf_counter() - began)
    return math.prod(_PROBE[1:3]) * kernel.size / float(np.median(seconds))
