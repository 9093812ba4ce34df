"""Files are replaced whole, also where an open file cannot be replaced."""

from pathlib import Path

import pytest

from nst_jax import files
from nst_jax.errors import UserError


@pytest.fixture
def read_for(monkeypatch):
    """Make a file be read by another program while so many attempts to replace it are made, as on Windows."""
    replace, attempts = Path.replace, []

    def set_up(count, on_windows=True):
        def replaced(path, target):
            attempts.append(target)
            if len(attempts) <= count:
                raise PermissionError(13, "Access is denied")
            return replace(path, target)

        monkeypatch.setattr(files, "ON_WINDOWS", on_windows)
        monkeypatch.setattr(files, "PATIENCE", 0.2)
        monkeypatch.setattr(Path, "replace", replaced)
        return attempts

    return set_up


def test_a_file_that_is_being_read_is_replaced_after_a_moment(read_for, tmp_path, monkeypatch):
    attempts = read_for(3)
    monkeypatch.setattr(files, "flush", lambda path: None)
    files.write_text(tmp_path / "a.json", "new")
    assert (tmp_path / "a.json").read_text() == "new"
    assert len(attempts) == 4


@pytest.mark.parametrize(("count", "on_windows"), [(10_000, True), (1, False)])
def test_a_file_that_cannot_be_replaced_is_kept(read_for, tmp_path, count, on_windows):
    (tmp_path / "a.json").write_text("old")
    read_for(count, on_windows)
    with pytest.raises(UserError, match=r"cannot write .*a\.json: Access is denied"):
        files.write_text(tmp_path / "a.json", "new")
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]
    assert (tmp_path / "a.json").read_text() == "old"
