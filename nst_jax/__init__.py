"""Neural style transfer and ConvNet visualization in JAX.

    import nst_jax

    result = nst_jax.stylize("photo.jpg", "painting.jpg", config="quick", size=256)
    result.save("result.png")

`stylize` returns a `Result`, `paint` yields a `Snapshot` every few steps, `sweep` paints many settings, and a
`Session` compiles once for many pictures; `stylize_video` paints a clip. `top_patches` shows what units
respond to, and `concepts` what directions of a layer do. `nst-jax` lists the commands.
"""

import gc
import importlib
from typing import TYPE_CHECKING, Any

from nst_jax.errors import UserError
from nst_jax.terminal.signals import leave_at_once, started_as_command

if TYPE_CHECKING:
    from nst_jax.api.clips import VideoFrame, stylize_video
    from nst_jax.api.inputs import load_config
    from nst_jax.api.layer_concepts import Concepts, concepts
    from nst_jax.api.results import Result, Snapshot, SweepResult, load_result
    from nst_jax.api.stylizing import Session, paint, stylize
    from nst_jax.api.sweeping import sweep
    from nst_jax.api.unit_patches import top_patches

if started_as_command():
    leave_at_once()  # on a signal: a command imports JAX for a second before it handles them
    gc.disable()  # until its `main`; it would look through what the imports make, a fifth of their time
__version__ = "0.1.0"
__all__ = [
    "Concepts",
    "Result",
    "Session",
    "Snapshot",
    "SweepResult",
    "UserError",
    "VideoFrame",
    "concepts",
    "load_config",
    "load_result",
    "paint",
    "stylize",
    "stylize_video",
    "sweep",
    "top_patches",
]

# Imported on first use, because JAX takes seconds to load. The module `sweep` is a command and can be called
# as the function: importing it would otherwise replace the function.
_HOMES = {
    **dict.fromkeys(("VideoFrame", "stylize_video"), "nst_jax.api.clips"),
    **dict.fromkeys(("Concepts", "concepts"), "nst_jax.api.layer_concepts"),
    "load_config": "nst_jax.api.inputs",
    **dict.fromkeys(("Result", "Snapshot", "SweepResult", "load_result"), "nst_jax.api.results"),
    **dict.fromkeys(("Session", "paint", "stylize"), "nst_jax.api.stylizing"),
    "top_patches": "nst_jax.api.unit_patches",
}


def __getattr__(name: str) -> Any:
    if name == "sweep":
        return importlib.import_module("nst_jax.sweep")
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'nst_jax' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
