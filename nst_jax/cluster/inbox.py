"""Where the files of remote runs arrive: a folder that outlives the workers."""

import contextlib
import itertools
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from nst_jax import files

# Contents by path relative to the sweep's folder, with slashes on every system; None for a deleted file.
Files = dict[str, bytes | None]
Send = Callable[[Files, int], bool]


class Inbox:
    """Receives the files of tasks; several attempts at a task may exist, of which only the latest counts."""

    def __init__(self, path: str):
        """Refer to the sweep's folder `path`."""
        self._path = Path(path)
        self._attempts = itertools.count()
        self._latest: dict[str, int] = {}  # attempt by task
        self._steps: dict[str, int] = {}  # sum over the runs of a task
        self._stopped = False

    def begin(self, task: str, folders: Collection[str]) -> tuple[int, Files] | None:
        """Begin an attempt at `task`, which paints the runs in `folders`; None if there is nothing to do.

        Returns the number of the attempt, and the files of the runs so far.
        """
        if self._stopped:
            return None
        self._latest[task] = next(self._attempts)
        paths = (path for folder in folders for path in _visible_files(self._path / folder))
        contents: Files = {path.relative_to(self._path).as_posix(): path.read_bytes() for path in paths}
        return self._latest[task], contents

    def receive(self, task: str, attempt: int, changed: Mapping[str, bytes | None], steps: int) -> bool:
        """Write the files that changed; return False if the attempt should stop.

        The files of an attempt that another one has replaced are discarded: its worker was taken for dead.

        Raises:
            UserError: a file cannot be written.
        """
        if self._latest[task] != attempt:
            return False
        for name, data in changed.items():
            if data is not None:
                files.write_bytes(self._path / name, data)
        # Last: a checkpoint goes only after the result has come.
        for name, data in changed.items():
            if data is None:
                (self._path / name).unlink(missing_ok=True)
        self._steps[task] = steps
        return not self._stopped

    def steps(self) -> dict[str, int]:
        """Return the number of steps by task, summed over its runs."""
        return dict(self._steps)

    def stop(self) -> None:
        """Let every attempt end at its next message, after it has saved its pictures."""
        self._stopped = True


@contextlib.contextmanager
def attempted(inbox: Any, task: str, folders: Collection[str]) -> Iterator[tuple[Path, Send] | None]:
    """Begin an attempt at `task` on a worker; None if there is nothing to do.

    Yields a temporary folder with the files of its `folders` so far, and what sends the files that change
    there, and the number of steps, to the remote `inbox`; that returns whether to go on.
    """
    import ray

    begun = ray.get(inbox.begin.remote(task, list(folders)))
    if begun is None:
        yield None
        return
    attempt, contents = begun
    with tempfile.TemporaryDirectory(prefix="nst_jax-") as temporary:
        path = Path(temporary)
        for name, data in contents.items():
            if data is not None:
                files.write_bytes(path / name, data)

        def send(changed: Files, steps: int) -> bool:
            return ray.get(inbox.receive.remote(task, attempt, changed, steps))

        yield path, send


class Outbox:
    """Finds the files below a folder that are new, changed or deleted since they were last taken."""

    def __init__(self, path: Path):
        """Refer to `path`, whose present files count as taken."""
        self._path = path
        self._seen = self._stamps()

    def take(self) -> Files:
        """Return what has changed."""
        now = self._stamps()
        changed = [name for name, stamp in now.items() if self._seen.get(name) != stamp]
        gone = self._seen.keys() - now.keys()
        self._seen = now
        return {name: (self._path / name).read_bytes() for name in changed} | dict.fromkeys(gone)

    def _stamps(self) -> dict[str, tuple[int, int]]:
        """Return the time of the last change and the size of each file, by its relative path."""
        stats = [(path, path.stat()) for path in _visible_files(self._path)]
        return {
            path.relative_to(self._path).as_posix(): (stat.st_mtime_ns, stat.st_size) for path, stat in stats
        }


def _visible_files(folder: Path) -> list[Path]:
    """Return all files below `folder` but locks and files that are being written."""
    return [path for path in folder.rglob("*") if path.is_file() and not path.name.startswith(".")]
