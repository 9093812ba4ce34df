"""The wheel in an empty folder: it holds every command and config, and its README has whole links."""

import os
import re
import shutil
import subprocess
import sys
import zipfile

import pytest

from nst_jax.__main__ import COMMANDS
from tests.command import ROOT

NO_ABSOLUTE = re.compile(r"\]\((?!http|#)")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    for name in ("nst_jax", "configs", "pyproject.toml", "README.md", "LICENSE", "NOTICE"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, source / name)
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, source]
    done = subprocess.run(build, capture_output=True, text=True)
    if "hatchling" in done.stderr and "No matching distribution" in done.stderr:
        pytest.skip("no package index answers with the build's requirements")
    assert done.returncode == 0, done.stderr
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """A folder with the wheel's files, as pip would unpack them, and nothing of the checkout."""
    site = tmp_path_factory.mktemp("site")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    return site


def call_installed(site, folder, *arguments):
    """What `nst-jax` does where only the wheel is; several commands are separated by `then`."""
    code = """
import sys
from nst_jax.__main__ import main
commands = " ".join(sys.argv[1:]).split(" then ")
for command in commands:
    try:
        status = main(["nst-jax", *command.split()])
    except SystemExit as ended:
        status = ended.code
    assert status == 0, command
"""
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(site), "NST_JAX_OFFLINE": "1"},
        capture_output=True,
        text=True,
        timeout=600,
    )


@pytest.mark.slow
def test_every_command_is_in_the_wheel(installed, tmp_path):
    done = call_installed(
        installed, tmp_path, *" --help then ".join(COMMANDS).split(), "--help", "then", "configs"
    )
    assert done.returncode == 0, done.stderr
    assert "nst_jax.experiments.maximize --config=NAME" in done.stdout
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_the_first_command_of_the_readme_paints(installed, tmp_path):
    given = ["sample:chelsea", "sample:swirls", "--size=64", "--out=result.jpg", "--config.optimizer.steps=2"]
    units = ["maximize", "--config.size=32", "--config.optimizer.steps=2", "--config.units=(0,)"]
    done = call_installed(installed, tmp_path, "paint", *given, "then", *units)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "result.jpg").exists()
    assert list(tmp_path.glob("runs/maximize-*/sheet.png"))


@pytest.mark.slow
def test_the_index_shows_absolute_links(wheel):
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith("/METADATA")]
        text = archive.read(name).decode()
    assert "](https://" in text
    assert not NO_ABSOLUTE.search(text)
