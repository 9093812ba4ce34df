"""Programs that are kept are those that would be compiled, and never others."""

import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nst_jax.devices import kept_programs, surroundings
from nst_jax.devices.kept_programs import KeptProgram, keep_programs
from nst_jax.losses.terms.content import CONTENT_LOSSES


class Traced:
    """Functions that count how often they are traced."""

    count = 0

    def times(self, factor):
        def scaled(x, unused=None):
            self.count += 1
            return {"scaled": factor * x["x"]}

        return scaled


@pytest.fixture
def traced(tmp_path, monkeypatch):
    # Configs of other tests, which are deleted: programs are kept only if all source can be read.
    for name, module in list(sys.modules.items()):
        if (file := getattr(module, "__file__", None)) and not Path(file).exists():
            monkeypatch.delitem(sys.modules, name)
    keep_programs(tmp_path / "programs")
    yield Traced()
    keep_programs(None)


@pytest.fixture
def compiled(monkeypatch):
    """The names of all files of code that are written."""
    names, save = [], kept_programs.save_code
    monkeypatch.setattr(
        kept_programs, "save_code", lambda file, program: names.append(file) or save(file, program)
    )
    return names


X = {"x": np.arange(4, dtype=np.float32)}


def test_another_command_does_not_trace(traced):
    first = KeptProgram(traced.times(2), 2)(X)
    again = KeptProgram(traced.times(2), 2)
    np.testing.assert_array_equal(again(X)["scaled"], first["scaled"])
    np.testing.assert_array_equal(again({"x": X["x"] + 1})["scaled"], 2 * X["x"] + 2)
    assert traced.count == again.count == 1


def test_what_it_depends_on_is_told_apart(traced):
    for factor in (2, 3, 2):
        np.testing.assert_array_equal(KeptProgram(traced.times(factor), factor)(X)["scaled"], factor * X["x"])
    for x in (X["x"][:2], X["x"].astype(np.int32), X["x"].reshape(2, 2)):
        np.testing.assert_array_equal(KeptProgram(traced.times(2), 2)({"x": x})["scaled"], 2 * x)
    other = KeptProgram(traced.times(2), 2)({"x": X["x"], "y": X["x"] + 1})
    np.testing.assert_array_equal(other["scaled"], 2 * X["x"])
    assert traced.count == 6


def test_weak_types_stay_weak(traced):
    for weak in (True, False):
        one = jnp.asarray(1.0) if weak else jnp.float32(1)
        assert (
            KeptProgram(traced.times(2), 2)({"x": one})["scaled"].weak_type
            == jax.jit(traced.times(2))({"x": one})["scaled"].weak_type
        )


@pytest.mark.parametrize("changed", ["of_tracing", "of_compiling"])
def test_other_surroundings_trace_again(traced, compiled, monkeypatch, changed):
    KeptProgram(traced.times(2), 2)(X)
    monkeypatch.setattr(surroundings, changed, lambda: "changed")
    for _ in range(2):
        KeptProgram(traced.times(2), 2)(X)
    # If only the source has changed, but not the program, it is not compiled again.
    assert (traced.count, len(compiled)) == (2, 1 if changed == "of_tracing" else 2)


def test_results_keep_their_names(traced):
    for name in ("a", "b", "a"):
        program = KeptProgram(lambda x, name=name: {name: 2 * x}, name)
        np.testing.assert_array_equal(program(X["x"])[name], 2 * X["x"])


def test_unused_arguments_are_told_apart(traced):
    first, second = np.float32(1), np.float32(2)
    for index in (0, 1, 0):
        program = KeptProgram(lambda *arguments, index=index: 3 * arguments[index], index)
        assert program(first, second) == 3 * (index + 1)


def test_donated_arguments_are_gone(traced):
    for _ in range(2):
        x = jnp.arange(4.0)
        assert KeptProgram(lambda x: x + 1, 1, donate_argnums=0)(x)[3] == 4
        assert x.is_deleted()


@pytest.mark.parametrize("damage", [b"", b"damaged", None])
def test_damaged_files_are_replaced(traced, tmp_path, damage):
    KeptProgram(traced.times(2), 2)(X)
    for file in (tmp_path / "programs").iterdir():
        file.write_bytes(damage if damage is not None else file.read_bytes()[:-9])
    for _ in range(2):
        np.testing.assert_array_equal(KeptProgram(traced.times(2), 2)(X)["scaled"], 2 * X["x"])
    assert traced.count == 2


def test_code_that_is_gone_is_compiled_again(traced, tmp_path):
    kept = KeptProgram(traced.times(2), 2)
    assert kept.temporary_bytes(X) >= 0
    again = KeptProgram(traced.times(2), 2)
    assert again.temporary_bytes(X) == kept.temporary_bytes(X)
    for file in (tmp_path / "programs").iterdir():
        file.unlink()
    np.testing.assert_array_equal(again(X)["scaled"], 2 * X["x"])


def test_a_folder_that_cannot_be_written_is_no_obstacle(traced, tmp_path):
    (tmp_path / "programs").write_text("a file")
    for _ in range(2):
        np.testing.assert_array_equal(KeptProgram(traced.times(2), 2)(X)["scaled"], 2 * X["x"])


def test_those_used_last_are_kept(traced, tmp_path, monkeypatch):
    monkeypatch.setattr("nst_jax.devices.program_files.MOST_FILES", 4)
    for factor in (2, 3, 2, 4, 2):
        KeptProgram(traced.times(factor), factor)(X)
    assert len([*(tmp_path / "programs").iterdir()]) == 4
    assert traced.count == 3


@pytest.mark.parametrize("identity", [None, object(), lambda x: x])
def test_what_is_unknown_is_not_kept(traced, tmp_path, identity):
    for _ in range(2):
        program = KeptProgram(traced.times(2), identity)
        np.testing.assert_array_equal(program(X)["scaled"], 2 * X["x"])
        assert program.count == 1
    assert traced.count == 2
    assert not (tmp_path / "programs").exists()


def test_nothing_is_kept_if_a_table_has_an_entry_from_outside(traced, monkeypatch):
    KeptProgram(traced.times(2), 2)(X)
    monkeypatch.setitem(CONTENT_LOSSES, "mine", lambda F, P, positions=None: 0)
    for _ in range(2):
        KeptProgram(traced.times(2), 2)(X)
    assert traced.count == 3


def test_programs_of_other_devices_are_not_kept(traced, tmp_path):
    placed = jax.device_put(X, jax.devices()[0])  # committed to it
    np.testing.assert_array_equal(KeptProgram(traced.times(2), 2)(placed)["scaled"], 2 * X["x"])
    assert jax.jit(KeptProgram(traced.times(2), 2))(X)["scaled"][3] == 6  # traced as part of another
    assert not (tmp_path / "programs").exists()
