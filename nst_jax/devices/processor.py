"""What the processor of this machine can do."""

import functools
from pathlib import Path

_CPU_INFO = Path("/proc/cpuinfo")  # on Linux only


@functools.cache
def multiplies_bfloat16() -> bool:
    """Whether the processor has matrix units for bfloat16 (Intel AMX); False where that cannot be told."""
    try:
        lines = _CPU_INFO.read_text(encoding="utf-8").splitlines()
    except OSError:
        return False
    return any("amx_bf16" in line.split() for line in lines if line.startswith("flags"))
