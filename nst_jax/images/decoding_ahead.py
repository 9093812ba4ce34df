"""Decoding by threads that run ahead of whoever uses the pictures."""

import contextlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Decoded = TypeVar("Decoded")


@contextlib.contextmanager
def decoding(
    decode: Callable[[int], Decoded], indices: Iterable[int], workers: int, ahead: int
) -> Iterator[Iterator[Future[Decoded]]]:
    """Yield the futures of `decode(index)` in order, each after `ahead` more have been submitted."""
    pool = ThreadPoolExecutor(workers, "decode")
    try:
        yield _submitted_ahead(pool, decode, indices, ahead)
    finally:
        # Whoever stops early does not wait for pictures that nobody wants any more.
        pool.shutdown(wait=False, cancel_futures=True)


def _submitted_ahead(
    pool: ThreadPoolExecutor, decode: Callable[[int], Decoded], indices: Iterable[int], ahead: int
) -> Iterator[Future[Decoded]]:
    pending: deque[Future[Decoded]] = deque()
    for index in indices:
        pending.append(pool.submit(decode, index))
        if len(pending) > ahead:
            yield pending.popleft()
    yield from pending
