"""The notebook: it is the same as the script beside it, and runs from top to bottom in an empty folder."""

import os
import re
import resource
from pathlib import Path

import jupytext
import pytest
from nbclient import NotebookClient

from tests.command import ROOT, pixels

NOTEBOOK = ROOT / "notebooks" / "quickstart.ipynb"
PICTURES = 10  # sources, result, Gram matrices, losses, snapshots, sweep, patches, clip, two portraits


def outputs_of(notebook):
    return [output for cell in notebook.cells for output in cell.get("outputs", ())]


def test_the_pair_agrees():
    notebook, script = jupytext.read(NOTEBOOK), jupytext.read(NOTEBOOK.with_suffix(".py"))
    ours, theirs = ([(cell.cell_type, cell.source) for cell in book.cells] for book in (notebook, script))
    assert ours == theirs, "run: python scripts/execute_notebook.py"


def test_the_outputs_are_stored_and_small():
    outputs = outputs_of(jupytext.read(NOTEBOOK))
    assert len([output for output in outputs if "image/jpeg" in output.get("data", {})]) == PICTURES
    assert all(output.get("name", "stdout") == "stdout" for output in outputs), "no errors or warnings"
    assert NOTEBOOK.stat().st_size < 600_000


@pytest.mark.parametrize(
    ("answer", "extra"), [("580.65.06", "cuda13"), ("550.54.15", "cuda12"), ("NVIDIA-SMI has failed.", "cpu")]
)
def test_the_installed_jax_is_that_of_the_runtime(tmp_path, monkeypatch, answer, extra):
    program = tmp_path / "nvidia-smi"
    program.write_text(f"#!/bin/sh\necho '{answer}'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setattr(Path, "glob", lambda folder, pattern: iter(()))  # no TPU
    (cell,) = (cell for cell in jupytext.read(NOTEBOOK).cells if "def runtime" in cell.source)
    names = {}
    exec(cell.source, names)
    assert names["runtime"]() == extra


def cpu_seconds():
    """Seconds of all cores that processes that were started here, and have ended, used."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_it_runs_from_top_to_bottom(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.delenv("XLA_FLAGS", raising=False)  # compile as a user's notebook does
    monkeypatch.setenv("NPROC", str(os.cpu_count()))
    notebook = jupytext.read(NOTEBOOK)
    before = cpu_seconds()
    NotebookClient(notebook, timeout=600, resources={"metadata": {"path": tmp_path}}).execute()
    assert cpu_seconds() - before < 2 * 120, "two minutes on two cores, however busy they are"
    outputs = outputs_of(notebook)
    assert len([output for output in outputs if "image/png" in output.get("data", {})]) == PICTURES
    text = "".join(output.get("text", "") for output in outputs)
    assert "3 programs compiled" in text
    rows = re.findall(r"SSIM (.*), style distance (.*)", text)
    assert len(rows) == 4
    for values in zip(*rows, strict=True):
        assert list(values) == sorted(values), "more content weight: closer to the photo, not to the style"
    assert pixels(tmp_path / "chelsea.png").shape[1] == 256
