"""Several processes that compute one program, such as one on each machine of a cluster.

All of them make the same calls in the same order. What only one of them knows, a clock or a signal, they must
agree on before it decides what to compute. The first process writes files and messages.
"""

import contextlib
import json
import math
from collections.abc import Iterator, Sequence
from typing import Any

import jax
import numpy as np
from absl import flags
from jax.experimental import multihost_utils

from nst_jax.devices.meeting import meet
from nst_jax.errors import UserError

LEAVE_SECONDS = 20  # for the others to arrive at the end: the first one may still write files
AUTOMATIC = "auto"


def define_processes(values: flags.FlagValues) -> None:
    """Add the flags `--coordinator`, `--process`, `--processes` and `--patience` to `values`."""
    flags.DEFINE_string(
        "coordinator",
        None,
        "HOST:PORT of process 0, if several processes paint one picture; auto: as the cluster says",
        flag_values=values,
    )
    flags.DEFINE_integer("process", None, "the number of this process, from 0", flag_values=values)
    flags.DEFINE_integer("processes", None, "the number of processes", flag_values=values)
    flags.DEFINE_integer(
        "patience", 60, "seconds to wait until all processes have started", lower_bound=1, flag_values=values
    )


@contextlib.contextmanager
def connected(values: flags.FlagValues) -> Iterator[None]:
    """Connect to the other processes that the flags name, before JAX is used, and leave with them.

    Raises:
        UserError: a flag is missing or invalid, or not all processes appear in time.
    """
    arguments = _arguments(values)
    if arguments is None:
        yield
        return
    if arguments:
        host, _, port = values.coordinator.rpartition(":")
        meet(host, int(port), values.process, values.processes, values.patience)
    # Of the collectives for CPUs, this one needs nothing that is not in jaxlib.
    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    try:
        jax.distributed.initialize(
            **arguments, initialization_timeout=values.patience, shutdown_timeout_seconds=LEAVE_SECONDS
        )
    except (RuntimeError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(
            f"--coordinator: {values.coordinator}: not all processes met within {values.patience} s: {reason}"
        ) from error
    try:
        yield
    finally:
        jax.distributed.shutdown()


def _arguments(values: flags.FlagValues) -> dict[str, Any] | None:
    """The arguments of `jax.distributed.initialize`; None for a process that is alone."""
    coordinator, process, processes = values.coordinator, values.process, values.processes
    numbers = {"--process": process, "--processes": processes}
    given = [name for name, value in numbers.items() if value is not None]
    if coordinator is None:
        if given:
            raise UserError(f"{given[0]}: needs --coordinator=HOST:PORT as well")
        return None
    if coordinator == AUTOMATIC:
        if given:
            raise UserError(f"{given[0]}: has no effect beside --coordinator=auto")
        return {}
    host, _, port = coordinator.rpartition(":")
    if not host or not port.isdigit():
        raise UserError(f"--coordinator: {coordinator!r} is neither HOST:PORT nor auto")
    if missing := [name for name in numbers if name not in given]:
        raise UserError(f"{missing[0]}: is missing beside --coordinator={coordinator}")
    if not 0 <= process < processes:
        raise UserError(f"--process: {process} is not from 0 to {processes - 1}, as --processes={processes}")
    return {"coordinator_address": coordinator, "num_processes": processes, "process_id": process}


def alone() -> bool:
    """Whether there is no other process."""
    return jax.process_count() == 1


def is_first() -> bool:
    """Whether this process writes the files and messages; a process that is alone does."""
    return jax.process_index() == 0


def broadcast(value: int) -> int:
    """The `value` of the first process."""
    return value if alone() else int(multihost_utils.broadcast_one_to_all(np.int32(value)))


def largest(value: int) -> int:
    """The largest `value` of all processes."""
    return value if alone() else int(multihost_utils.process_allgather(np.int32(value)).max())


def smallest(value: int) -> int:
    """The smallest `value` of all processes."""
    return -largest(-value)


@contextlib.contextmanager
def agreeing() -> Iterator[None]:
    """If the block raises a `UserError` in one process, it does in all of them."""
    # Raised at once, it would leave the other processes waiting in their next exchange.
    error = None
    try:
        yield
    except UserError as raised:
        error = raised
    if largest(error is not None):
        raise error or UserError("--processes: another process cannot start; its own message says why")


def require_equal(digest: str) -> None:
    """Check that all processes have the same `digest`, in hexadecimal digits, of what they will compute.

    Raises:
        UserError: they differ, in all processes.
    """
    if alone():
        return
    # Seven digits are 28 bits, and JAX has integers of 32 unless told otherwise.
    number = np.int32(int(digest[:7], 16))
    if len(set(multihost_utils.process_allgather(number).tolist())) > 1:
        raise UserError("--processes: the settings, pictures or weights differ between the processes")


def broadcast_arrays(arrays: Sequence[np.ndarray] | None) -> list[np.ndarray] | None:
    """The `arrays` of the first process, or None if it has none; those of the others are ignored."""
    kinds = None if arrays is None else [(array.shape, array.dtype.name) for array in arrays]
    text = json.dumps(kinds).encode()
    kinds = json.loads(_broadcast_bytes(text, broadcast(len(text))))
    if kinds is None:
        return None
    found = []
    for index, (shape, kind) in enumerate(kinds):
        mine = arrays[index].tobytes() if is_first() and arrays else b""
        count = math.prod(shape) * np.dtype(kind).itemsize
        found.append(np.frombuffer(_broadcast_bytes(mine, count), kind).reshape(shape))
    return found


def _broadcast_bytes(mine: bytes, count: int) -> bytes:
    sent = np.frombuffer(mine, np.uint8) if is_first() else np.zeros(count, np.uint8)
    return np.asarray(multihost_utils.broadcast_one_to_all(sent)).astype(np.uint8).tobytes()
