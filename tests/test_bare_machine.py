"""What a machine needs that has only JAX and a few small packages, as in docs/performance.md, On a GPU."""

import os
import subprocess
import sys

from tests.command import ROOT, tiny

# Dependencies of the package that a bare machine lacks. Those of its other dependencies come with them.
LACKING = ("filelock", "imageio_ffmpeg", "jinja2", "matplotlib", "ray", "tensorboardX")
LACKING += ("psutil", "tensorflow", "tensorflow_datasets", "torch")

WITHOUT = f"""
import importlib, pkgutil, runpy, sys
from importlib.abc import MetaPathFinder

class Refuse(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {LACKING}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Refuse())
"""
EVERYTHING = """
import nst_jax
for module in pkgutil.walk_packages(nst_jax.__path__, "nst_jax."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
sys.path.insert(0, "scripts")
for name in ("check", "equality", "page", "report", "runs", "sections", "sizes", "sweep"):
    importlib.import_module(f"accelerator_{name}")
print("imported")
runpy.run_module("nst_jax.run", run_name="__main__")
"""


def test_a_run_needs_few_packages(tiny_weights, tmp_path):
    flags = tiny(tiny_weights, tmp_path / "run", optimizer__steps=2)
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT + EVERYTHING, *flags],
        cwd=ROOT,
        env=os.environ,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("imported")
    assert "cannot be locked" in done.stderr
    assert (tmp_path / "run" / "result.png").exists()
    assert not (tmp_path / "run" / ".lock").exists()
