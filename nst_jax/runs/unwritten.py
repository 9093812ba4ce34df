"""A run folder that another process writes."""

import contextlib
from typing import Any

from nst_jax.runs.folder import RunFolder


class UnwrittenFolder(RunFolder):
    """Says of the run what a process knows that does not read its folder; `Recorder` writes nothing to it."""

    written = False

    def __init__(self, folder: RunFolder):
        """Stand for `folder`."""
        super().__init__(folder.path, folder.config)

    def claimed(self) -> contextlib.AbstractContextManager[None]:
        """Hold nothing."""
        return contextlib.nullcontext()

    def begun(self) -> bool:
        """The other process knows."""
        return False

    def record(self) -> dict[str, Any]:
        """The other process knows."""
        return {}

    def load_checkpoint(self, identity: str) -> None:
        """Return None: the other process reads it."""
