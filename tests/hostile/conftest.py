"""Runs that several hostile cases compare with."""

import pytest

from tests.command import tiny
from tests.hostile.processes import SHORT, finish


@pytest.fixture(scope="session")
def short(tiny_weights, tmp_path_factory):
    """The folder of a run that was not interrupted."""
    folder = tmp_path_factory.mktemp("short") / "run"
    assert finish(*tiny(tiny_weights, folder, **SHORT)).returncode == 0
    return folder
