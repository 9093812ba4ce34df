"""The machine of a run: package versions, device, and memory used and free."""

import platform
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import jax

from nst_jax.devices.host_memory import free_host_bytes, kernel_bytes

_STATUS = Path("/proc/self/status")
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
        return kernel_bytes(_STATUS)["VmHWM"]
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
