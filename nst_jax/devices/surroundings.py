"""What a compiled program depends on besides itself: source, versions, settings and the processor."""

import functools
import hashlib
import os
import platform
import re
import sys
import sysconfig
from collections.abc import Iterable
from pathlib import Path

import jax
import jaxlib

from nst_jax.devices import processor
from nst_jax.devices.fingerprint import INSTALLED, PACKAGE, require_known

_PACKAGE = Path(__file__).parents[1]
_INSTALLED = re.compile(
    rf".*[/\\](site|dist)-packages[/\\]|{re.escape(sysconfig.get_path('stdlib'))}|{re.escape(str(_PACKAGE))}"
)
# Configs only set values; whatever else a module does with the package could change what is traced.
_REACHES_IN = re.compile(rf"{PACKAGE}(?!\.configs|\s+import\s+configs)".encode())


def of_compiling() -> str:
    """What the compiler depends on besides the program that it is given."""
    versions = [jax.__version__, jaxlib.__version__, platform.machine(), *processor.processor_features()]
    return repr([*versions, os.environ.get("XLA_FLAGS"), sorted(jax.config.values.items(), key=str)])


def of_tracing() -> str:
    """What tracing depends on besides functions of this package, what they hold, and their arguments.

    Raises:
        UnknownError: a table of this package has an entry from outside, which is found by its name.
    """
    modules = dict(sys.modules)
    for name, module in modules.items():
        if name.partition(".")[0] == PACKAGE:
            held = vars(module).items()
            require_known([value for key, value in held if isinstance(value, dict) and key.isupper()])
    files = {getattr(module, "__file__", None) or "" for module in modules.values()}
    others = [Path(file) for file in sorted(files) if file and not _INSTALLED.match(file)]
    changing = others if any(map(_reaches_in, others)) else []
    versions = [getattr(modules.get(name), "__version__", None) for name in INSTALLED]
    return repr([sys.version, versions, _package_digest(), _digest(changing)])


@functools.cache
def _package_digest() -> str:
    """A digest of the source of this package."""
    return _digest(sorted(_PACKAGE.rglob("*.py")))


def _digest(files: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for file in files:
        digest.update(f"{file} ".encode() + hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


@functools.cache
def _reaches_in(file: Path) -> bool:
    """Whether a module that is not installed mentions more of this package than configs."""
    return _REACHES_IN.search(file.read_bytes()) is not None
