"""Run commands in a process that may take little more memory than its imports.

The commands are given as JSON, pairs of a module and its flags. Prints a line of JSON for each of them: exit
status, what it wrote to stderr, seconds, and the peak memory of the process so far in bytes.
"""

import json
import resource
import sys
import time
from pathlib import Path

import jax

import nst_jax.run  # noqa: F401  (its memory is not what is measured)
from nst_jax.devices.host_memory import kernel_bytes
from tests.command import call

MORE = 2 * 2**30  # bytes


def main() -> None:
    """Limit the address space to what is in use now and a little more, and run the commands."""
    jax.devices()
    most = kernel_bytes(Path("/proc/self/status"))["VmSize"] + MORE
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    for module, flags in json.loads(sys.argv[1]):
        began = time.monotonic()
        result = call(*flags, module=module)
        seconds = time.monotonic() - began
        peak = kernel_bytes(Path("/proc/self/status"))["VmHWM"]
        print(json.dumps([result.returncode, result.stderr, seconds, peak]), flush=True)


if __name__ == "__main__":
    main()
