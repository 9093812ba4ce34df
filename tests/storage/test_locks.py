"""A folder has one process at a time, and dead ones do not count."""

import errno
import os
import threading
from pathlib import Path

import filelock
import pytest

from nst_jax.errors import UserError
from nst_jax.storage.locks import HOLDER, LOCK, claimed, require_unclaimed


def test_a_folder_is_held_once(tmp_path):
    with claimed(tmp_path / "run"):
        for second in (claimed(tmp_path / "run").__enter__, lambda: require_unclaimed(tmp_path / "run")):
            with pytest.raises(UserError, match=f"run is in use by process {os.getpid()} on "):
                second()
        with claimed(tmp_path / "another"):
            pass
    with claimed(tmp_path / "run"):
        pass


def test_the_lock_of_a_dead_process_is_no_obstacle(tmp_path):
    (tmp_path / LOCK).touch()
    (tmp_path / HOLDER).write_text("process 1 on another machine\n")
    require_unclaimed(tmp_path)
    with claimed(tmp_path, new=True):
        assert str(os.getpid()) in (tmp_path / HOLDER).read_text()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_may_be_released_by_another_thread(tmp_path):
    """As if a server painted the pictures of one iterator in a pool of threads."""
    block = claimed(tmp_path)
    block.__enter__()
    thread = threading.Thread(target=block.__exit__, args=(None, None, None))
    thread.start()
    thread.join()
    assert list(tmp_path.iterdir()) == []
    with claimed(tmp_path):
        pass


def test_folders_are_removed_if_nothing_was_written(tmp_path):
    with claimed(tmp_path / "a" / "b"):
        pass
    assert not (tmp_path / "a").exists()
    with claimed(tmp_path / "a" / "b"):
        (tmp_path / "a" / "b" / "file").touch()
    assert [path.name for path in (tmp_path / "a" / "b").iterdir()] == ["file"]


def test_a_file_system_without_locks_gives_a_warning(tmp_path, monkeypatch, caplog):
    def refuse(*_, **__):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(filelock.FileLock, "acquire", refuse)
    with claimed(tmp_path):
        assert "cannot be locked here" in caplog.text
    assert list(tmp_path.iterdir()) == []


def test_a_lock_is_removed_where_open_files_cannot_be(tmp_path, monkeypatch):
    """As on Windows, where a locked file cannot be read, written or removed by anybody."""
    held, unlink, events = [], Path.unlink, []

    class WindowsLock(filelock.FileLock):
        def acquire(self, *arguments, **keywords):
            acquired = super().acquire(*arguments, **keywords)
            held.append(Path(self.lock_file))
            return acquired

        def release(self, force=False):
            held.clear()
            super().release(force)

    def unlink_closed(path, missing_ok=False):
        events.append((path.name, path in held))
        if path in held:
            raise PermissionError(errno.EACCES, "being used by another process")
        unlink(path, missing_ok)

    monkeypatch.setattr(filelock, "FileLock", WindowsLock)
    monkeypatch.setattr(Path, "unlink", unlink_closed)
    with claimed(tmp_path / "run"):
        assert (tmp_path / "run" / LOCK).read_bytes() == b"", "nothing is written into a locked file"
    assert (LOCK, True) in events
    assert not (tmp_path / "run").exists()
