"""The notebook: it is the same as the script beside it, and runs from top to bottom in an empty folder."""

import os
import re
import time

import jupytext
import pytest
from nbclient import NotebookClient

from tests.command import ROOT, pixels

NOTEBOOK = ROOT / "notebooks" / "quickstart.ipynb"


def test_the_pair_agrees():
    notebook, script = jupytext.read(NOTEBOOK), jupytext.read(NOTEBOOK.with_suffix(".py"))
    ours, theirs = ([(cell.cell_type, cell.source) for cell in book.cells] for book in (notebook, script))
    assert ours == theirs, "run: jupytext --to ipynb notebooks/quickstart.py"
    assert not any(cell.get("outputs") for cell in notebook.cells), "outputs are not committed"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_it_runs_from_top_to_bottom(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.delenv("XLA_FLAGS", raising=False)  # compile as a user's notebook does
    monkeypatch.setenv("NPROC", str(os.cpu_count()))
    notebook = jupytext.read(NOTEBOOK)
    began = time.monotonic()
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": tmp_path}}).execute()
    assert time.monotonic() - began < 180
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    pictures = [output for output in outputs if "image/png" in output.get("data", {})]
    assert len(pictures) >= 6, "of the result, its losses, the snapshots, the sweep, the patches"
    text = "".join(output.get("text", "") for output in outputs)
    assert "1 program compiled" in text
    rows = re.findall(r"SSIM (.*), style distance (.*)", text)
    assert len(rows) == 4
    for values in zip(*rows, strict=True):
        assert list(values) == sorted(values), "more content weight: closer to the photo, not to the style"
    assert pixels(tmp_path / "chelsea.png").shape[1] == 256
