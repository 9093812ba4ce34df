"""How long a run will take on a CPU, predicted before it starts."""

import functools
import math
import time

import jax
import numpy as np

from nst_jax.methods.transfers import method_of
from nst_jax.networks.architectures import architecture
from nst_jax.networks.conv import conv3x3
from nst_jax.networks.trained import Weights
from nst_jax.runs.progress import EVALUATIONS_PER_STEP, Work, roughly
from nst_jax.transfer.job import Job
from nst_jax.weights.embedded import slim

# Seconds from which a faster network is worth a mention.
LONG = 120
_PROBE = (1, 64, 64, 64)  # like a layer of VGG, for a small picture
_PROBES = 9  # their median leaves out those that other processes disturbed


def predicted_seconds(job: Job, weights: Weights | None = None, begun: int = 0) -> float | None:
    """Return how long `job` will take here, or would with other `weights`, to a factor of about 1.5.

    Compilation and the steps up to `begun` are not included. None on an accelerator, where runs are short, or
    if no rule is known.
    """
    if jax.default_backend() != "cpu" or method_of(job).costs is None:
        return None
    work = work_of(job, weights)
    return EVALUATIONS_PER_STEP * (work.total - work.done(begun)) / _multiply_adds_per_second()


def work_of(job: Job, weights: Weights | None = None) -> Work:
    """Return the work of `job`, or with other `weights`, in multiply-adds if the method knows them."""
    costs = method_of(job).costs
    return Work(job.config, costs(job, weights or job.weights) if costs else None)


def time_text(job: Job, begun: int = 0) -> str:
    """Describe how long `job` will take from the step `begun` on; or return ''.

    If a run is long and has not begun, the text names the flags of a faster network.
    """
    seconds = predicted_seconds(job, begun=begun)
    if seconds is None:
        return ""
    text = f", {roughly(seconds)}"
    if seconds < LONG or begun:
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
    shapes = _PROBE, (3, 3, _PROBE[-1], _PROBE[-1])
    x, kernel = (jax.device_put(np.ones(shape, np.float32)) for shape in shapes)
    program, seconds = jax.jit(conv3x3), []
    # The first call compiles.
    program(x, kernel).block_until_ready()
    for _ in range(_PROBES):
        began = time.perf_counter()
        program(x, kernel).block_until_ready()
        seconds.append(time.perf_counter() - began)
    return math.prod(_PROBE[1:3]) * kernel.size / float(np.median(seconds))
