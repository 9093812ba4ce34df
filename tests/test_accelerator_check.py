"""scripts/accelerator_check.py: what is kept of sections that fail or hang, and a whole check on a CPU."""

import importlib
import json
import os
import subprocess
import sys

import pytest

from tests.command import ROOT

SCRIPTS = ROOT / "scripts"
SECTIONS = """
import json, sys, time
task = json.loads(sys.argv[1])
file = open(task["lines"], "a", buffering=1)
def add(kind, values, **more):
    file.write(json.dumps({"kind": kind, "values": values, **more}) + "\\n")
if task["name"] == "machine":
    versions = {"jax": "0"}
    add("about", {"platform": "cpu", "device": "<none>", "versions": versions, "nvidia_smi": "a & b"})
elif task["name"] == "equality":
    add("row", {"step": 1, "loss": 0.25}, table="losses")
    add("check", {"what": "loss", "value": 0.25, "limit": 1.0, "holds": True})
    sys.exit("out of memory")
elif task["name"] == "steps":
    add("row", {"step": 2, "loss": 0.125}, table="losses")
    time.sleep(600)
elif task["name"] == "resume":
    add("check", {"what": "picture", "value": 3.0, "limit": 0.0, "holds": False})
"""


@pytest.fixture
def check(monkeypatch, tmp_path):
    """The script as a module, with sections that need no time."""
    monkeypatch.syspath_prepend(SCRIPTS)
    module = importlib.import_module("accelerator_check")
    worker = tmp_path / "scripts" / "sections.py"
    worker.parent.mkdir()
    worker.write_text(SECTIONS)
    monkeypatch.setattr(module, "WORKER", worker)
    return module


def run(check, out, *flags: str) -> tuple[int, dict]:
    status = check.main(["check", f"--out={out}", *flags])
    return status, json.loads((out / "check.json").read_text())


def test_sections_that_fail_or_hang_keep_what_they_measured(check, tmp_path):
    status, results = run(check, tmp_path / "out", "--minutes=0.1")
    assert status == 1
    found = {section["name"]: section for section in results["sections"]}
    assert list(found) == ["equality", "steps", "resume", "sweep", "largest", "benchmark"]
    assert found["equality"]["status"] == "failed"
    assert "out of memory" in found["equality"]["error"]
    assert found["equality"]["tables"] == {"losses": [{"step": 1, "loss": 0.25}]}
    assert found["steps"]["status"] == "out of time"
    assert found["steps"]["tables"] == {"losses": [{"step": 2, "loss": 0.125}]}
    assert found["steps"]["seconds"] < 6
    assert found["resume"]["status"] == "done"
    page = (tmp_path / "out" / "page.html").read_text()
    assert all(
        word in page for word in ("out of memory", "0.125", "&lt;none&gt;", "a &amp; b", "steps: out of time")
    )


def test_the_exit_status_tells_whether_all_checks_hold(check, tmp_path):
    assert run(check, tmp_path / "sound", "--sections=sweep,largest")[0] == 0
    assert run(check, tmp_path / "unsound", "--sections=sweep,resume")[0] == 1


def test_a_gradient_that_is_not_a_number_does_not_hold(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(SCRIPTS)
    report = importlib.import_module("accelerator_report").Report(tmp_path / "lines")
    for value in (0.5, 2.0, float("nan")):
        report.check("gradient", value, 1.0)
    lines = (tmp_path / "lines").read_text().splitlines()
    assert [json.loads(line)["values"]["holds"] for line in lines] == [True, False, False]


def test_without_a_folder_it_is_refused():
    script = [sys.executable, SCRIPTS / "accelerator_check.py"]
    for flags, word in (((), "--out"), (("--out=check", "--sections=speed"), "choices: equality")):
        done = subprocess.run([*script, *flags], cwd=ROOT, env=os.environ, capture_output=True, text=True)
        assert done.returncode == 2
        assert word in done.stderr


@pytest.mark.slow
def test_a_whole_check_on_a_cpu(tmp_path):
    command = [
        sys.executable,
        SCRIPTS / "accelerator_check.py",
        f"--out={tmp_path}",
        "--minutes=30",
        "--small",
    ]
    done = subprocess.run(command, cwd=ROOT, env=os.environ, capture_output=True, text=True, timeout=1800)
    assert done.returncode == 0, done.stdout + done.stderr
    results = json.loads((tmp_path / "check.json").read_text())
    assert all(section["status"] == "done" for section in results["sections"])
    assert all(section["tables"] for section in results["sections"])
    assert "data:image/png;base64" in (tmp_path / "page.html").read_text()
