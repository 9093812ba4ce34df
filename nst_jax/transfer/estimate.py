"""Memory estimates before a run starts; a run that does not fit into memory is refused."""

import dataclasses
import math
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec as P

from nst_jax.config.schema import SMALLEST_SIDE
from nst_jax.errors import UserError
from nst_jax.losses.objective import everywhere, style_statistics
from nst_jax.networks.layers import misfit, up_to
from nst_jax.optimizers.lanes import Lane
from nst_jax.runs.machine import free_memory_bytes, peak_memory_bytes
from nst_jax.runs.progress import byte_count
from nst_jax.transfer.job import Job
from nst_jax.transfer.memory import tree_bytes
from nst_jax.transfer.session import Session

# Values of `tile` to suggest if a picture does not fit, fastest first.
TILES = (512, 128)
# Memory that compilation adds to the process on a CPU; 300 to 430 MB were measured.
COMPILER_BYTES = 300 * 2**20


def require_memory(session: Session, job: Job) -> int:
    """Return the estimated peak memory of painting `job` alone, in bytes; nothing large is allocated yet.

    Raises:
        UserError: less memory is free; the message suggests a `tile` and a `size` that fit.
    """
    needed, free = needed_bytes(session, job), free_memory_bytes()
    if needed <= free:
        return peak_memory_bytes() + needed
    fitting = {"tile": _fitting_tile(job, free), "size": _fitting_size(job, needed, free)}
    flags = [f"--config.{field}={value}" for field, value in fitting.items() if value]
    raise UserError(
        f"size: {job.config.size} px needs {byte_count(needed)} of memory, but only {byte_count(free)} are "
        f"free; options that fit: {' or '.join(flags) or 'none, not even a small picture'}"
    )


def require_lanes(session: Session, job: Job) -> None:
    """Check that all lanes of `session`, one of which is `job`, fit into the free memory.

    Raises:
        UserError: they do not fit; the message suggests a `--batch` or a smaller size.
    """
    if session.width == 1:
        require_memory(session, job)
        return
    lane, free = session.lane_bytes, free_memory_bytes()
    lanes = -(-session.width // session.lanes.mesh.size)  # on each device
    if lanes * lane > free:
        fit = free // lane * session.lanes.mesh.size
        raise UserError(
            f"--batch: {session.width} runs of {job.config.size} px need {byte_count(lanes * lane)} of "
            f"memory, but only {byte_count(free)} are free; options that fit: "
            + (f"--batch={fit}" if fit else "a smaller --config.size")
        )


def needed_bytes(session: Session, job: Job) -> int:
    """Return the memory in bytes that painting `job` alone adds at full size, as reported by the compiler.

    If the picture is divided among accelerators, it is that of each.
    """
    program, arrays = compiled_step(session, job)
    analysis: Any = program.memory_analysis()
    run = analysis.temp_size_in_bytes + tree_bytes(arrays)
    if jax.default_backend() == "cpu":
        run = run * session.devices_of_process + COMPILER_BYTES
    return max(run, _target_bytes(session, job))


def compiled_step(session: Session, job: Job) -> tuple[Any, Any]:
    """Compile the steps of `job` alone at full size; return the program, and the shapes of its arrays."""
    objective, image = session.abstract_objective(job)
    data, images = jax.tree.map(_one_lane, (objective, image))
    rate, count = _one_lane(jax.ShapeDtypeStruct((), jnp.float32)), jax.ShapeDtypeStruct((), jnp.int32)
    lane: Lane = session.lanes.abstract(
        jax.eval_shape(session.lanes.start, session.network, data, images, rate)
    )
    settle = jax.ShapeDtypeStruct((), bool)
    advance = session.lanes.advance.lower(session.network, data, lane, count, count, settle)
    return advance.compile(), (data, lane)


def _target_bytes(session: Session, job: Job) -> int:
    """Return the bytes needed to compute the style targets; 0 if the style is no larger than the result."""
    sizes = [job.style_size(style, picture, 1.0) for style in job.styles for picture in style.pictures]
    largest = max(sizes, key=math.prod)
    if math.prod(largest) <= math.prod(job.size_at(1.0)):
        return 0
    split = session.split_at(largest)
    rows = split.padded if split else largest[0]
    sharding = split.by_rows if split else None
    picture = jax.ShapeDtypeStruct((1, rows, largest[1], 3), jnp.float32, sharding=sharding)
    guides = everywhere(job.config.active_style())
    program = jax.jit(
        lambda network, x: style_statistics(network, x, guides, session.losses, job.config.tile, split)
    )
    analysis: Any = program.lower(session.network, picture).compile().memory_analysis()
    return tree_bytes(picture) + analysis.temp_size_in_bytes


def _one_lane(leaf: jax.ShapeDtypeStruct) -> jax.ShapeDtypeStruct:
    sharding = leaf.sharding and NamedSharding(leaf.sharding.mesh, P(None, *leaf.sharding.spec))
    return jax.ShapeDtypeStruct((1, *leaf.shape), leaf.dtype, sharding=sharding)


def _fitting_tile(job: Job, free: int) -> int:
    """Return the largest of `TILES` with which `job` fits into `free` bytes, or 0 if none does."""
    if misfit(up_to(job.network.geometry, job.config.active_layers()[-1])):
        return 0
    limit = min(job.config.tile or job.config.size, job.config.size)
    smaller = (tile for tile in TILES if tile < limit)
    return next((tile for tile in smaller if _needed_with(job, tile=tile) <= free), 0)


def _fitting_size(job: Job, needed: int, free: int) -> int:
    """Return the largest size that fits into `free` bytes, or 0 if none does.

    Memory is modelled as a fixed part plus a part proportional to the pixels, from two compilations.
    """
    size = job.config.size
    guess = max(SMALLEST_SIDE, int(size * (free / needed) ** 0.5))
    if guess == size:
        return 0
    at_guess = _needed_with(job, size=guess)
    growth = (needed - at_guess) / (size**2 - guess**2)
    fixed = at_guess - growth * guess**2
    fit = int(((free - fixed) / growth) ** 0.5) if free > fixed else 0
    return fit if fit >= SMALLEST_SIDE else 0


def _needed_with(job: Job, **fields: Any) -> int:
    changed = dataclasses.replace(job, config=dataclasses.replace(job.config, **fields))
    return needed_bytes(Session([changed]), changed)
