"""A time limit for downloads: a server that sends one byte at a time must not hold a command for ever."""

import queue
import threading
import time
from collections.abc import Iterator
from typing import TypeVar

LEAST_RATE = 10 * 1024  # bytes per second, on average
TOO_SLOW = f"slower than {LEAST_RATE // 1024} KiB/s"
_CHECK_SECONDS = 0.5  # after which a thread notices that nobody waits for it any more

Item = TypeVar("Item")


class Pace:
    """The time that is left: `grace` seconds at first, and one more for every `LEAST_RATE` bytes."""

    def __init__(self, grace: float):
        """Start the clock; `grace` is in seconds."""
        self._end = time.monotonic() + grace

    def received(self, count: int) -> None:
        """Allow more time, for `count` bytes that have arrived."""
        self.extend(count / LEAST_RATE)

    def extend(self, seconds: float) -> None:
        """Allow `seconds` more."""
        self._end += seconds

    def left(self) -> float:
        """Return the seconds that are left; 0 if the time is up."""
        return max(0.0, self._end - time.monotonic())

    def limited(self, items: Iterator[Item]) -> Iterator[Item]:
        """Yield from `items`, which a thread computes, so that it may block anywhere.

        Raises:
            TimeoutError: the time is up.
        """
        results: queue.Queue[tuple[str, Item | Exception | None]] = queue.Queue(maxsize=4)
        abandoned = threading.Event()
        # A daemon: it may be blocked in a read that never returns.
        threading.Thread(target=_compute, args=(items, results, abandoned), daemon=True).start()
        try:
            while True:
                try:
                    kind, result = results.get(timeout=self.left())
                except queue.Empty:
                    raise TimeoutError(TOO_SLOW) from None
                if kind == "end":
                    return
                if kind == "error":
                    raise result  # type: ignore[misc]
                yield result  # type: ignore[misc]
        finally:
            abandoned.set()


def _compute(items: Iterator[Item], results: queue.Queue, abandoned: threading.Event) -> None:
    """Put each of `items` into `results`, then their end or error, unless that is `abandoned`."""

    def put(kind: str, result: Item | Exception | None = None) -> None:
        while not abandoned.is_set():
            try:
                return results.put((kind, result), timeout=_CHECK_SECONDS)
            except queue.Full:
                continue

    try:
        for item in items:
            put("item", item)
            if abandoned.is_set():
                return
        put("end")
    except Exception as error:  # it is raised again in the thread that waits
        put("error", error)
