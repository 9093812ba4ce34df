"""What earlier frames say of a frame: flow, computed ahead in other threads, and what it carries."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np

from nst_jax.errors import UserError
from nst_jax.images.folders import FOLDER
from nst_jax.video.clip_folder import ClipFolder, Frame, floats, read_frame
from nst_jax.video.flow import FLOWS, flow_named, read_flo
from nst_jax.video.reliability import Carried, carried, reliability, warped_along

# Cubic splines: bilinear sampling blurs a little, and a frame inherits the blur of all those before it.
ORDER = 3
AHEAD = 16  # flows that are computed before they are needed
RELIABLE = 0.99  # weight from which a position counts for the temporal error
LEVELS = 255.0


class Flows:
    """The flow from each frame to those that it is compared with; use as a context manager."""

    def __init__(self, folder: ClipFolder, name: str, pairs: Sequence[tuple[int, int]]):
        """`name` is the setting `video.flow`; `pairs` are frames and those compared with, in order."""
        self._folder, self._name, self._pairs = folder, name, list(pairs)
        self._running: dict[tuple[int, int], Future] = {}
        self._next = 0
        # Not processes: JAX must not be forked, and new ones would run the script of a Python caller again.
        self._pool = ThreadPoolExecutor(max(1, (os.cpu_count() or 2) // 2))

    def __enter__(self) -> "Flows":
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    def between(self, frame: int, other: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the flow from `frame` to `other`, and its weights, once they are computed.

        Raises:
            UserError: a .flo file is missing, damaged or of another size, or the disk is full.
        """
        if (kept := self._folder.flow(frame, other)) is not None:
            return kept
        self._submit(frame, other)
        flow, weight = self._running.pop((frame, other)).result()
        self._folder.save_flow(frame, other, flow, weight)
        self._go_ahead()
        kept = self._folder.flow(frame, other)  # in half precision, as after a resumption
        assert kept is not None, "it has just been written"
        return kept

    def _go_ahead(self) -> None:
        while len(self._running) < AHEAD and self._next < len(self._pairs):
            pair, self._next = self._pairs[self._next], self._next + 1
            if self._folder.flow(*pair) is None:
                self._submit(*pair)

    def _submit(self, frame: int, other: int) -> None:
        if (frame, other) not in self._running:
            paths = self._folder.content(frame), self._folder.content(other)
            self._running[frame, other] = self._pool.submit(both_ways, self._name, *paths, frame, other)


def both_ways(name: str, at: Path, to: Path, frame: int, other: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the flow from a frame to another one, and its weights."""
    first, second = read_frame(at), read_frame(to)
    if name.startswith(FOLDER):
        folder = Path(name.removeprefix(FOLDER)).expanduser()
        pair = [read_flo(folder / f"{a:06d}-{b:06d}.flo") for a, b in ((frame, other), (other, frame))]
        for flow in pair:
            if flow.shape[:2] != first.shape[:2]:
                raise UserError(
                    f"video.flow: {folder} has flows of {flow.shape[1]} x {flow.shape[0]} pixels, but frames "
                    f"have {first.shape[1]} x {first.shape[0]}"
                )
    else:
        estimate = FLOWS[flow_named(name)]
        pair = [estimate(first, second), estimate(second, first)]
    return pair[0], reliability(*pair)


def carried_to(flows: Flows, frame: int, others: Sequence[int], painted: Callable[[int], Frame]) -> Carried:
    """Return what the frames `others`, the closest first, say of `frame`; `painted` reads their results."""
    found = [flows.between(frame, other) for other in others]
    pictures = [floats(painted(other))[0] for other in others]
    warped = [
        np.clip(warped_along(picture, flow, ORDER), 0, 1)
        for picture, (flow, _) in zip(pictures, found, strict=True)
    ]
    return carried(warped, [weight for _, weight in found])


def temporal_error(painted: Frame, other: Frame, flow: np.ndarray, weight: np.ndarray) -> float:
    """Return the mean difference, of 255, to the result of a frame next to it where that is reliable."""
    seen = weight >= RELIABLE
    moved = warped_along(floats(other)[0], flow)
    error = LEVELS * np.abs(moved - floats(painted)[0])[seen].mean() if seen.any() else 0.0
    return round(float(error), 4)
