"""Traces of some steps of a run, for TensorBoard's profiler or Perfetto."""

from pathlib import Path

import jax
from absl import flags

from nst_jax.errors import UserError


def define_profile(values: flags.FlagValues) -> None:
    """Add the flag `--profile` to `values`."""
    help_text = "write a trace of so many steps to the folder profile: for TensorBoard, or ui.perfetto.dev"
    flags.DEFINE_integer("profile", None, help_text, 1, flag_values=values)


class Profile:
    """A trace that begins at the first look at a run, once its program is compiled."""

    def __init__(self, folder: Path, steps: int | None):
        """Write a trace of at least `steps` steps, in whole chunks, to `folder`; none if `steps` is None."""
        self._folder, self._steps = folder, steps
        self._first: int | None = None  # the step at which the trace began

    def look(self, step: int) -> None:
        """Begin or end the trace, if `step` is the one to do so.

        Raises:
            UserError: the folder cannot be written.
        """
        if self._steps is None:
            return
        if self._first is None:
            try:
                jax.profiler.start_trace(self._folder, create_perfetto_trace=True)
            except OSError as error:
                raise UserError(f"--profile: {self._folder}: {error.strerror or error}") from error
            self._first = step
        elif step - self._first >= self._steps:
            self.close()

    def close(self) -> None:
        """End the trace, if it has begun."""
        if self._steps is not None and self._first is not None:
            self._steps = None
            jax.profiler.stop_trace()
