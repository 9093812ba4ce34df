"""Memory estimates before a run starts; a run that does not fit into memory is refused."""

import bisect
import dataclasses
from collections.abc import Sequence
from typing import Any

import jax
from absl import logging

from nst_jax.config.schema import SMALLEST_SIDE
from nst_jax.errors import UserError
from nst_jax.methods.transfers import method_of, open_session
from nst_jax.runs.machine import free_memory_bytes, peak_memory_bytes
from nst_jax.runs.progress import byte_count
from nst_jax.transfer.fitting import Input, inputs_of_arrays
from nst_jax.transfer.job import Job
from nst_jax.transfer.room import TILES, enough_bytes, require_room, tile_obstacle
from nst_jax.transfer.stage_session import StageSession
from nst_jax.weights.widths import Widths, widths_of

# Values of `optimizer.memory` to suggest if no tile helps: each step that is kept takes two pictures.
HISTORIES = (1, 4)
# Memory that compilation adds to the process on a CPU; 300 to 430 MB were measured.
COMPILER_BYTES = 300 * 2**20


def fitting_history(job: Job) -> int:
    """Return `optimizer.memory`, or as many steps as fit into the free memory if `least_memory` allows fewer.

    A warning says so. If not even `least_memory` fits, nothing is lowered, and `require_memory` refuses.
    """
    require_room_for(job)
    wish = job.config.optimizer
    allowed = [steps for steps in range(1, wish.memory) if wish.may_lower(steps)]
    free = free_memory_bytes()
    if not allowed or needed_alone(job) <= free:
        return wish.memory
    steps = _longest_history(job, free, allowed)
    if not steps:
        return wish.memory
    logging.warning("optimizer.memory: %d lowered to %d: %s are free", wish.memory, steps, byte_count(free))
    return steps


def with_history(job: Job, steps: int) -> Job:
    """Return `job` with a history of so many `steps`."""
    return _changed(job, optimizer=job.config.optimizer.with_history(steps))


def require_memory(session: StageSession, job: Job) -> int:
    """Return the estimated peak memory of painting `job` alone, in bytes; nothing large is allocated yet.

    Raises:
        UserError: less memory is free; the message suggests a `tile` or an `optimizer.memory`, and a `size`,
            that fit.
    """
    require_room_for(job)
    needed, free = needed_bytes(session, job), free_memory_bytes()
    if needed <= free:
        return peak_memory_bytes() + needed
    fitting = {"tile": _fitting_tile(job, free), "size": _fitting_size(job, needed, free)}
    if not fitting["tile"]:
        shorter = [steps for steps in HISTORIES if steps < job.config.optimizer.memory]
        fitting = {"optimizer.memory": _longest_history(job, free, shorter)} | fitting
    flags = [f"--config.{field}={value}" for field, value in fitting.items() if value]
    raise UserError(
        f"size: {job.config.size} px needs {byte_count(needed)} of memory, but only {byte_count(free)} are "
        f"free; options that fit: {' or '.join(flags) or 'none, not even a small picture'}"
    )


def require_room_for(job: Job) -> None:
    """Check, without compiling anything, that `job` is not far too large; see `nst_jax.transfer.room`.

    Raises:
        UserError: it is.
    """
    require_room(job.config, *_shapes(job))


def require_lanes(session: StageSession, job: Job) -> None:
    """Check that all lanes of `session`, one of which is `job`, fit into the free memory.

    Raises:
        UserError: they do not fit; the message suggests a `--batch` or a smaller size.
    """
    if session.width == 1:
        require_memory(session, job)
        return
    require_room_for(job)
    lane, free = session.lane_bytes(), free_memory_bytes()
    lanes = -(-session.width // session.lanes.mesh.size)  # on each device
    if lanes * lane > free:
        fit = free // lane * session.lanes.mesh.size
        raise UserError(
            f"--batch: {session.width} runs of {job.config.size} px need {byte_count(lanes * lane)} of "
            f"memory, but only {byte_count(free)} are free; options that fit: "
            + (f"--batch={fit}" if fit else "a smaller --config.size")
        )


def needed_bytes(session: StageSession, job: Job) -> int:
    """Return the memory in bytes that painting `job` alone adds at full size, as reported by the compiler."""
    run = session.step_bytes(job)
    if jax.default_backend() == "cpu":
        run += COMPILER_BYTES
    return max(run, session.target_bytes(job))


def needed_alone(job: Job) -> int:
    """Return `needed_bytes` in a session of its own."""
    return needed_bytes(open_session([job]), job)


def _fitting_tile(job: Job, free: int) -> int:
    """Return the largest of `TILES` with which `job` fits into `free` bytes, or 0 if none does."""
    if not method_of(job).tiles or tile_obstacle(job.config, job.network.geometry):
        return 0
    limit = min(job.config.tile or job.config.size, job.config.size)
    smaller = (tile for tile in TILES if tile < limit)
    tiled = (_changed(job, tile=tile) for tile in smaller)
    return next((one.config.tile for one in tiled if _fits(one, free)), 0)


def _fits(job: Job, free: int) -> bool:
    """Whether `job` fits into `free` bytes; only where that is in doubt, its program is compiled."""
    return enough_bytes(job.config, *_shapes(job)) <= free or needed_alone(job) <= free


def _shapes(job: Job) -> tuple[list[Input], Widths]:
    """The pictures of `job`, and the number of filters of its network."""
    return inputs_of_arrays(job.config, job.content, job.styles), widths_of(job.weights)


def _longest_history(job: Job, free: int, choices: Sequence[int]) -> int:
    """Return the largest of the ascending `choices` with which `job` fits into `free` bytes, or 0."""
    fitting = bisect.bisect_right(choices, free, key=lambda steps: needed_alone(with_history(job, steps)))
    return choices[fitting - 1] if fitting else 0


def _fitting_size(job: Job, needed: int, free: int) -> int:
    """Return the largest size that fits into `free` bytes, or 0 if none does.

    Memory is modelled as a fixed part plus a part proportional to the pixels, from two compilations.
    """
    size = job.config.size
    guess = max(SMALLEST_SIDE, int(size * (free / needed) ** 0.5))
    if guess == size:
        return 0
    at_guess = needed_alone(_changed(job, size=guess))
    growth = (needed - at_guess) / (size**2 - guess**2)
    fixed = at_guess - growth * guess**2
    fit = int(((free - fixed) / growth) ** 0.5) if free > fixed else 0
    return fit if fit >= SMALLEST_SIDE else 0


def _changed(job: Job, **fields: Any) -> Job:
    return dataclasses.replace(job, config=dataclasses.replace(job.config, **fields))
