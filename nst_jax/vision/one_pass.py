"""One pass over a stream of pictures, with a progress bar, checkpoints and signals."""

import time
from collections.abc import Iterator
from typing import Any, Protocol, TypeVar, runtime_checkable

from tqdm import tqdm

from nst_jax.images.streams import Stream
from nst_jax.terminal.signals import StopSignal

AHEAD = 2  # batches in flight: the device never idles, and memory stays bounded


State = TypeVar("State", covariant=True)


@runtime_checkable
class Pass(Protocol[State]):
    """A computation on all pictures in order; `positions` yields where it is, and `now` its state."""

    @property
    def position(self) -> int:
        """Index of the next image in the stream."""

    def positions(self, end: int) -> Iterator[int]:
        """Go on up to `end`, batch by batch; yield the position after each."""

    def now(self) -> State:
        """Wait for the device, and return a copy of the state."""


@runtime_checkable
class Saving(Protocol):
    """A file that holds the state of a pass."""

    def save(self, progress: Any, /) -> None:
        """Replace the file."""


def run_pass(
    stream: Stream, running: Pass[State], checkpoint: Saving, checkpoint_seconds: float
) -> tuple[State, int]:
    """Run a pass to the end of the stream; return the state, and 0 or the exit status of a signal.

    The checkpoint is written every `checkpoint_seconds` and at the end.
    """
    due = time.monotonic() + checkpoint_seconds
    options = {"initial": running.position, "unit": " images", "dynamic_ncols": True}
    with StopSignal() as stop, tqdm(total=len(stream), **options) as bar:
        for position in running.positions(len(stream)):
            bar.update(position - bar.n)
            if stop.requested:
                break
            if time.monotonic() >= due:
                checkpoint.save(running.now())
                due = time.monotonic() + checkpoint_seconds
        progress = running.now()
        checkpoint.save(progress)
    return progress, stop.exit_status if stop.requested else 0
