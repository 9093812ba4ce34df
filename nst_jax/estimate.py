"""The memory a run will take, told before it begins, and the run refused where the machine has less."""

import dataclasses
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from nst_jax import memory, objective, report, stylize
from nst_jax.config import SMALLEST_SIDE
from nst_jax.errors import UserError
from nst_jax.run_folder import peak_memory_bytes
from nst_jax.stylize import Job

# The values of `tile` that are tried where a picture does not fit without: smaller ones are slower.
TILES = (512, 128)
# What compiling a run's programs adds to the process on a CPU: 300 to 430 MB where it was measured.
COMPILER_BYTES = 300 * 2**20


def require_memory(job: Job) -> int:
    """The most memory that will be held while `job` is painted, in bytes; nothing large is allocated yet.

    Raises:
        UserError: the machine has less left; the message names the size that fits, and the tile that helps.
    """
    needed, free = needed_bytes(job), memory.free_bytes()
    if needed <= free:
        return peak_memory_bytes() + needed
    fitting = {"tile": _fitting_tile(job, free), "size": _fitting_size(job, needed, free)}
    flags = [f"--config.{field}={value}" for field, value in fitting.items() if value]
    words = report.size(float(needed)), report.size(float(free))
    raise UserError(
        f"size: {job.config.size} px needs {words[0]} of memory where {words[1]} are free; "
        f"what fits: {' or '.join(flags) or 'nothing, not even a small picture'}"
    )


def needed_bytes(job: Job) -> int:
    """What painting `job` takes beyond what is held now, by the compiler's count at full size."""
    image, style = (jax.ShapeDtypeStruct((1, *size, 3), jnp.float32) for size in stylize.sizes_at(job, 1.0))
    problem = jax.eval_shape(partial(stylize.make_problem, job), image, style)
    start = objective.optimizer(job.config.optimizer)._start
    run = memory.needed_bytes(start, problem, image) - memory.size(job.network)
    if jax.default_backend() == "cpu":
        run += COMPILER_BYTES
    if style.size <= image.size:
        return run
    targets = objective.targets.lower(job.network, style, (), tuple(problem.style), job.config.tile)
    analysis: Any = targets.compile().memory_analysis()
    return max(run, memory.size(style) + analysis.temp_size_in_bytes)


def _fitting_tile(job: Job, free: int) -> int:
    """The largest of `TILES` with which `job` fits into `free` bytes; 0 where none helps."""
    most = min(job.config.tile or job.config.size, job.config.size)
    smaller = (tile for tile in TILES if tile < most)
    return next((tile for tile in smaller if needed_bytes(_with(job, tile=tile)) <= free), 0)


def _fitting_size(job: Job, needed: int, free: int) -> int:
    """The size that fits into `free` bytes, as memory grows with the pixels from a fixed part; 0 for none."""
    size = job.config.size
    guess = max(SMALLEST_SIDE, int(size * (free / needed) ** 0.5))
    if guess == size:
        return 0
    at_guess = needed_bytes(_with(job, size=guess))
    growth = (needed - at_guess) / (size**2 - guess**2)
    fixed = at_guess - growth * guess**2
    fit = int(((free - fixed) / growth) ** 0.5) if free > fixed else 0
    return fit if fit >= SMALLEST_SIDE else 0


def _with(job: Job, **fields: Any) -> Job:
    return dataclasses.replace(job, config=dataclasses.replace(job.config, **fields))
