"""The memory that is free follows the limits of containers and processes."""

import pytest

from nst_jax.devices import host_memory
from nst_jax.devices.host_memory import free_host_bytes, kernel_bytes

resource = pytest.importorskip("resource")  # Windows has none
MIB = 2**20


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine with 1000 MiB, where this process is in the group /app/web, without limits so far."""
    for name, text in {
        "_MEMORY": "MemTotal:  2048000 kB\nMemAvailable: 1024000 kB\nHugePages_Total: 0\n",
        "_GROUP": "12:memory:/docker/1\n0::/app/web\n",
        "_STATUS": "Name:\tpython\nVmSize:\t  102400 kB\nVmData:\t   51200 kB\n",
    }.items():
        (tmp_path / name).write_text(text)
        monkeypatch.setattr(host_memory, name, tmp_path / name)
    monkeypatch.setattr(host_memory, "_GROUPS", tmp_path / "groups")
    monkeypatch.setattr(resource, "getrlimit", lambda limit: (resource.RLIM_INFINITY,) * 2)
    return tmp_path / "groups"


def group(folder, limit, used, cached, names=("memory.max", "memory.current", "inactive_file")):
    folder.mkdir(parents=True, exist_ok=True)
    for name, value in zip(names, (limit, used), strict=False):
        (folder / name).write_text(f"{value}\n")
    (folder / "memory.stat").write_text(f"anon {used}\n{names[-1]} {cached}\n")


def test_without_limits_it_is_that_of_the_machine(machine):
    assert free_host_bytes() == 1000 * MIB
    group(machine / "app/web", "max", 100 * MIB, 0)
    assert free_host_bytes() == 1000 * MIB


@pytest.mark.parametrize("place", ["app/web", "app", "."])
def test_a_container_leaves_what_its_group_and_those_above_allow(machine, place):
    group(machine / place, 400 * MIB, 300 * MIB, cached=50 * MIB)
    assert free_host_bytes() == 150 * MIB


def test_a_group_of_the_first_version(machine):
    names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
    group(machine / "memory", 400 * MIB, 350 * MIB, 50 * MIB, names)
    assert free_host_bytes() == 100 * MIB
    group(machine / "memory", 2**63 - 4096, 350 * MIB, 50 * MIB, names)
    assert free_host_bytes() == 1000 * MIB


@pytest.mark.parametrize(("limit", "left"), [(resource.RLIMIT_AS, 100), (resource.RLIMIT_DATA, 150)])
def test_a_process_leaves_what_its_limit_allows(machine, monkeypatch, limit, left):
    monkeypatch.setattr(
        resource, "getrlimit", lambda one: (200 * MIB if one == limit else resource.RLIM_INFINITY,) * 2
    )
    assert free_host_bytes() == left * MIB


def test_more_than_a_limit_in_use_leaves_nothing(machine):
    group(machine / "app/web", 100 * MIB, 300 * MIB, 0)
    assert free_host_bytes() == 0


def test_entries_that_are_no_sizes_are_skipped(machine):
    assert kernel_bytes(host_memory._MEMORY) == {"MemTotal": 2000 * MIB, "MemAvailable": 1000 * MIB}
