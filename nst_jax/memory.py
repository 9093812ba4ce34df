"""How many lanes fit: what one needs, by the compiler's own count, against what the machine has free."""

import os
from pathlib import Path
from typing import Any

import jax

from nst_jax import compiler

# Of the memory that is free: compilers and allocators need some of their own.
SHARE = 0.6
# Where a picture keeps all cores busy, lanes beyond these gain nothing and fall out of the caches.
MOST_ON_CPU = 4
FALLBACK_BYTES = 4 * 2**30  # where the system does not tell


def affordable_lanes(start: Any, problem: Any, image: Any, shared: Any) -> int:
    """How many lanes the default device can hold of a run whose first evaluation is `start(problem, image)`.

    The arguments may be `jax.ShapeDtypeStruct`s; `shared` is the part of `problem` that all lanes share.
    """
    # Besides the state that a run has, the one after a step, and what the lane's line search keeps.
    kept = 2 * size(jax.eval_shape(start, problem, image))
    lane = needed_bytes(start, problem, image) + kept - size(shared)
    fit = max(1, int(SHARE * free_bytes() / lane))
    return min(fit, MOST_ON_CPU) if jax.default_backend() == "cpu" else fit


def needed_bytes(start: Any, problem: Any, image: Any) -> int:
    """What a run holds whose first evaluation is `start(problem, image)`, by the compiler's count of it."""
    needs: Any = compiler.jit(start).lower(problem, image).compile().memory_analysis()
    return needs.temp_size_in_bytes + size(problem) + size(jax.eval_shape(start, problem, image))


def free_bytes() -> int:
    """Memory that the default device has left."""
    statistics = jax.devices()[0].memory_stats() or {}
    if "bytes_limit" in statistics:
        return int(statistics["bytes_limit"] - statistics["bytes_in_use"])
    meminfo = Path("/proc/meminfo")
    if meminfo.exists():
        lines = dict(line.split(":", 1) for line in meminfo.read_text().splitlines())
        return int(lines["MemAvailable"].split()[0]) * 1024
    if hasattr(os, "sysconf") and "SC_AVPHYS_PAGES" in os.sysconf_names:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return FALLBACK_BYTES


def size(tree: Any) -> int:
    """Bytes of all arrays in `tree`."""
    return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree))
