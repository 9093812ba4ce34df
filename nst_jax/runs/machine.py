"""The machine of a run: package versions, device, and memory used and free."""

import platform
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import jax

_STATUS, _MEMORY = Path("/proc/self/status"), Path("/proc/meminfo")
PACKAGES = ("jax", "jaxlib", "flax", "optax", "numpy", "pillow")


def environment() -> dict[str, Any]:
    """Return package versions, device and command line, for run.json."""
    device = jax.devices()[0]
    return {
        "versions": {
            "python": platform.python_version(),
            **{name: metadata.version(name) for name in PACKAGES},
        },
        "device": f"{device.platform}: {device.device_kind}",
        "command": sys.argv,
    }


def peak_memory_bytes() -> int:
    """Return the peak memory use so far: of the accelerator, or of this process on a CPU.

    Only Linux and Windows record the peak of a process; elsewhere this is its current memory use.
    """
    statistics = jax.local_devices()[0].memory_stats() or {}
    if "peak_bytes_in_use" in statistics:
        return int(statistics["peak_bytes_in_use"])
    if _STATUS.exists():  # not getrusage: on Linux, its peak includes that of the parent process
        return _bytes_in(_STATUS, "VmHWM")
    import psutil

    memory = psutil.Process().memory_info()
    return getattr(memory, "peak_wset", memory.rss)


def free_memory_bytes() -> int:
    """Return the free memory of the default device."""
    # CPUs have no statistics of their own.
    statistics = jax.local_devices()[0].memory_stats() or {}
    if "bytes_limit" in statistics:
        return int(statistics["bytes_limit"] - statistics["bytes_in_use"])
    return free_host_bytes()


def free_host_bytes() -> int:
    """Return the free memory of the machine, where pictures are decoded."""
    if _MEMORY.exists():
        return _bytes_in(_MEMORY, "MemAvailable")
    import psutil

    return psutil.virtual_memory().available


def _bytes_in(file: Path, entry: str) -> int:
    """An entry of a file of the Linux kernel, which are in KiB."""
    lines = dict(line.split(":", 1) for line in file.read_text().splitlines())
    return int(lines[entry].split()[0]) * 1024
