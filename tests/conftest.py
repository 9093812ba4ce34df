"""Shapes and types are checked at run time while testing; caches stay inside, and nothing is downloaded."""

import gc
import os
import signal
from pathlib import Path

# One thread per worker: pools of threads that share two cores slow each other down. Read when JAX starts.
os.environ.setdefault("NPROC", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Most of the time goes into compiling programs that run for milliseconds. `XLA_FLAGS= pytest` optimises them.
os.environ.setdefault(
    "XLA_FLAGS", "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"
)

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import install_import_hook

install_import_hook(["nst_jax", "scripts.distillation"], "beartype.beartype")
# A shell's background jobs ignore Ctrl-C, and so would the commands that the tests interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # ignored below nohup

from nst_jax.cli import use_compilation_cache  # noqa: E402
from nst_jax.devices import compilation_cache  # noqa: E402
from nst_jax.networks.architectures import architecture  # noqa: E402
from nst_jax.networks.trained import OXFORD, Weights, make_weights  # noqa: E402
from nst_jax.optimizers.loop import Loop  # noqa: E402
from nst_jax.weights import save  # noqa: E402

# The garbage collector would look through all that these imports have made: a twelfth of the time.
gc.freeze()
gc.set_threshold(50_000, 20, 50)


@pytest.fixture(scope="session")
def reference() -> Path:
    """The folder of reference weights and pictures, which is not part of the project."""
    if "NST_REFERENCE_DATA" not in os.environ:
        pytest.skip("NST_REFERENCE_DATA does not name a folder of reference weights and pictures")
    return Path(os.environ["NST_REFERENCE_DATA"])


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One cache for all workers and subprocesses of the session, so that each program compiles once."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "cache"
    os.environ["NST_JAX_CACHE"] = str(folder)
    os.environ["NST_JAX_OFFLINE"] = "1"  # tests of downloads unset it, and have a cache of their own
    # Tests replace functions, which a program that is kept would not see; commands of their own do keep them.
    compilation_cache.keep_programs = lambda folder: None
    use_compilation_cache()
    return folder


@pytest.fixture(scope="session", autouse=True)
def no_transfers_while_painting() -> None:
    """Fail where steps of an optimisation would move arrays between the host and the device."""
    advance = Loop._advance

    def guarded(loop: Loop, evaluations: int, settle: bool = False) -> None:
        with jax.transfer_guard("disallow"):
            advance(loop, evaluations, settle)

    Loop._advance = guarded


def formula_weights(widths: tuple[int, ...] = (4, 6, 8, 8, 8), arch: str = "slim") -> Weights:
    """A narrow network whose numbers are a formula: smooth, alive, the same everywhere."""
    arrays, before = {}, 3
    for name in architecture(arch).weighted:
        width = widths[int(name[4]) - 1]
        index = np.arange(9 * before * width, dtype=np.uint64).reshape(3, 3, before, width) + len(arrays)
        uniform = (index * np.uint64(2654435761) % np.uint64(2**32)) / 2**32 - 0.5
        kernel = uniform * np.sqrt(12) * np.sqrt(2 / (9 * before))
        arrays[f"{name}.kernel"] = kernel.astype(np.float32)
        arrays[f"{name}.bias"] = np.cos(np.arange(width) + before).astype(np.float32)
        before = width
    return make_weights("formula", arch, arrays, OXFORD)


def formula_image(height: int, width: int, phase: float = 0.0) -> jax.Array:
    """A colourful picture whose numbers are a formula, in [0,1]."""
    y, x, c = np.meshgrid(np.arange(height), np.arange(width), np.arange(3), indexing="ij")
    waves = np.sin(0.37 * x + 0.11 * y * (c + 1) + phase) * np.cos(0.23 * y - 0.05 * x * c + 2 * phase)
    return jnp.asarray(0.5 + 0.45 * waves, jnp.float32)[None]


@pytest.fixture(scope="session")
def tiny_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A weights file of the narrow network: `--config.network.arch=slim --config.network.weights=FILE`."""
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    save(path, formula_weights(), "made by a formula")
    return path
