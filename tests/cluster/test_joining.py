"""Clusters that cannot be on_cluster: one line each, within 20 seconds."""

import importlib.util
import socket
import time

import pytest

from tests.command import call, call_process

FLAGS = ("--config=configs/quick.py", "--config.size=128")


def refused(address, tmp_path, run=call):
    began = time.monotonic()
    result = run(*FLAGS, f"--cluster={address}", f"--workdir={tmp_path / 's'}", module="nst_jax.sweep")
    assert result.returncode == 2, result.stderr
    assert not (tmp_path / "s/sweep.json").exists()
    lines = [line for line in result.stderr.splitlines() if line]
    assert len(lines) == 1, result.stderr
    return lines[0], time.monotonic() - began


def test_without_ray_the_error_says_how_to_install_it(tmp_path, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "ray" else find(name))
    line, _ = refused("ray", tmp_path)
    assert "pip install 'nst_jax[cluster]'" in line


@pytest.mark.parametrize("address", ["", "somewhere", "host:port", ":6379", "host:99999"])
def test_an_address_is_checked(address, tmp_path):
    pytest.importorskip("ray")
    line, _ = refused(address, tmp_path)
    assert "is neither 'ray' nor HOST:PORT" in line


def test_an_address_where_nothing_listens_is_named(tmp_path):
    pytest.importorskip("ray")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    line, _ = refused(f"127.0.0.1:{port}", tmp_path)
    assert f"127.0.0.1:{port} cannot be reached" in line


@pytest.mark.slow
def test_a_server_that_is_no_cluster_is_given_up(tmp_path):
    pytest.importorskip("ray")
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        line, seconds = refused(address, tmp_path, call_process)
    assert address in line
    assert seconds < 60  # with the imports, on a busy machine
