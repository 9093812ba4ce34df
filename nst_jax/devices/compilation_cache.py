"""The caches of compiled programs, which a command shares with those before and beside it."""

import os
import warnings

from absl import logging

from nst_jax.devices.kept_programs import keep_programs
from nst_jax.files import cache_dir, is_writable


def use_compilation_cache() -> None:
    """Cache compiled programs in the per-user cache folder, unless `JAX_COMPILATION_CACHE_DIR` is set."""
    if os.environ.get("JAX_COMPILATION_CACHE_DIR"):
        return
    folder = cache_dir() / "xla"
    if not is_writable(folder):
        logging.warning("%s cannot be written; programs will be compiled again by every command", folder)
        return
    import jax

    jax.config.update("jax_compilation_cache_dir", str(folder))
    # Dozens of small programs are compiled before the first step: together, they take longer than its own.
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.01)
    # If the disk fills up, JAX would warn about every program; runs do not need the cache.
    warnings.filterwarnings("ignore", message="Error (reading|writing) persistent compilation cache")
    keep_programs(cache_dir() / "programs")
