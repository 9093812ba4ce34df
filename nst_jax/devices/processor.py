"""What the processor of this machine can do."""

import functools
import os
import platform
from pathlib import Path

_CPU_INFO = Path("/proc/cpuinfo")  # on Linux only


def multiplies_bfloat16() -> bool:
    """Whether the processor has matrix units for bfloat16 (Intel AMX); False where that cannot be told."""
    return any("amx_bf16" in line.split() for line in _lines() if line.startswith("flags"))


def processor_features() -> list[str]:
    """The processor's model and features and the number of cores, on which compiled programs depend."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    told = {line for line in _lines() if line.startswith(("model name", "flags", "CPU part", "Features"))}
    return [platform.processor(), str(cores), *sorted(told)]


@functools.cache
def _lines() -> list[str]:
    try:
        return _CPU_INFO.read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
