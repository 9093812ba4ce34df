"""The memory that this process may still take on its machine."""

from collections.abc import Iterator
from pathlib import Path

_STATUS, _MEMORY, _GROUP = Path("/proc/self/status"), Path("/proc/meminfo"), Path("/proc/self/cgroup")
_GROUPS = Path("/sys/fs/cgroup")


def free_host_bytes() -> int:
    """Return the free memory of the machine, or what the limits of a container or a process leave of it.

    Limits are known on Linux only: those of control groups, as containers have, and of `ulimit -v` and `-d`.
    """
    if not _MEMORY.exists():
        import psutil

        return psutil.virtual_memory().available
    free = [kernel_bytes(_MEMORY)["MemAvailable"], *_left_by_groups(), *_left_by_limits()]
    return max(0, min(free))


def kernel_bytes(file: Path) -> dict[str, int]:
    """Return the entries in KiB of a file of the Linux kernel, in bytes."""
    lines = (line.split(":", 1) for line in file.read_text(encoding="utf-8").splitlines())
    return {name: int(value.split()[0]) * 1024 for name, value in lines if value.endswith(" kB")}


def _left_by_limits() -> Iterator[int]:
    """What the limits of this process leave of its address space, and of its data."""
    import resource  # not on Windows

    used = kernel_bytes(_STATUS)
    for limit, entry in ((resource.RLIMIT_AS, "VmSize"), (resource.RLIMIT_DATA, "VmData")):
        if (most := resource.getrlimit(limit)[0]) != resource.RLIM_INFINITY:
            yield most - used[entry]


def _left_by_groups() -> Iterator[int]:
    """What the control groups of this process leave, of version 2 and of version 1."""
    first = _GROUPS / "memory"
    limit, usage = first / "memory.limit_in_bytes", first / "memory.usage_in_bytes"
    yield from _left_by(limit, usage, "total_inactive_file")
    own = _GROUP.read_text(encoding="utf-8").rpartition("0::/")[2].strip() if _GROUP.exists() else ""
    for group in (_GROUPS / own, *(_GROUPS / own).parents):
        if group.is_relative_to(_GROUPS):
            yield from _left_by(group / "memory.max", group / "memory.current", "inactive_file")


def _left_by(limit: Path, usage: Path, reclaimable: str) -> Iterator[int]:
    """What a group leaves: its page cache counts as used, but gives way. Nothing if it has no limit."""
    try:
        most, used = limit.read_text(encoding="utf-8").strip(), int(usage.read_text(encoding="utf-8"))
        lines = (
            line.split() for line in (usage.parent / "memory.stat").read_text(encoding="utf-8").splitlines()
        )
        cached = int(dict(lines).get(reclaimable, 0))
    except (OSError, ValueError):  # another version, or not for us to read
        return
    if most.isdecimal():
        yield int(most) - used + cached
