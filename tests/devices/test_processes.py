"""Several processes, each with devices of its own: they meet, paint one picture, and stop together."""

import json
import os
import signal
import socket
import subprocess
import threading
import time

import numpy as np
import pytest

from nst_jax.devices.meeting import meet
from nst_jax.errors import UserError
from tests.command import ROOT, assert_refused, call, command, metrics, pixels, tiny

TWO_DEVICES = {"XLA_FLAGS": "--xla_force_host_platform_device_count=2 --xla_backend_optimization_level=0"}


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def at_once(*calls):
    """The error of each call, or None; all of them run at the same time."""
    errors = [None] * len(calls)

    def run(index):
        try:
            meet(*calls[index])
        except UserError as error:
            errors[index] = str(error)

    threads = [threading.Thread(target=run, args=(index,)) for index in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return errors


def test_processes_meet():
    port = free_port()
    assert at_once(*[("127.0.0.1", port, number, 3, 20) for number in (2, 1, 0)]) == [None] * 3


def test_whoever_waits_in_vain_says_so_in_time():
    port, began = free_port(), time.monotonic()
    first, other = at_once(("127.0.0.1", port, 0, 3, 1), ("127.0.0.1", port, 1, 3, 1))
    assert "3 were expected within 1 s; missing: 2" in first
    assert "did not answer within 1 s" in other
    assert "did not answer" in at_once(("127.0.0.1", port, 1, 2, 1))[0]
    assert time.monotonic() - began < 10


def test_numbers_are_given_once():
    port = free_port()
    first, *others = at_once(*[("127.0.0.1", port, number, 3, 3) for number in (0, 1, 1)])
    assert "two processes have the number 1" in first
    assert all("gave up" in other for other in others)


def test_a_port_that_is_taken_is_named():
    with socket.create_server(("", 0)) as taken:
        port = taken.getsockname()[1]
        assert f"cannot listen on port {port}" in at_once(("127.0.0.1", port, 0, 2, 1))[0]


@pytest.mark.parametrize(
    ("flags", "word"),
    [
        (["--process=1"], "--process: needs --coordinator"),
        (["--coordinator=nowhere"], "'nowhere' is neither HOST:PORT nor auto"),
        (["--coordinator=host:1", "--process=0"], "--processes: is missing"),
        (["--coordinator=host:1", "--process=2", "--processes=2"], "--process: 2 is not from 0 to 1"),
        (["--coordinator=auto", "--process=0"], "no effect beside --coordinator=auto"),
    ],
)
def test_wrong_flags_are_refused(flags, word, tiny_weights, tmp_path):
    assert_refused(call(*tiny(tiny_weights, tmp_path / "run"), *flags), word)
    assert not (tmp_path / "run").exists()


def start_two(weights, folder, *more, of_second=(), **fields):
    """Two processes of two devices each."""
    settings = {"optimizer__name": "lbfgs", "optimizer__steps": 50, "size": 64, "devices": 0, **fields}
    meeting = f"--coordinator=127.0.0.1:{free_port()}"
    return [
        subprocess.Popen(
            command(
                *tiny(weights, folder, **settings), meeting, f"--process={number}", "--processes=2", *flags
            ),
            cwd=ROOT,
            env={**os.environ, **TWO_DEVICES},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number, flags in enumerate([more, (*more, *of_second)])
    ]


def ended(processes):
    """The exit status, output and errors of each."""
    results = [process.communicate(timeout=300) for process in processes]
    return [(process.returncode, *result) for process, result in zip(processes, results, strict=True)]


@pytest.mark.slow
def test_two_processes_paint_one_picture(tiny_weights, tmp_path):
    processes = start_two(tiny_weights, tmp_path / "two", shallow=False, optimizer__steps=20)
    (status, output, errors), (other, other_output, _) = ended(processes)
    assert (status, other) == (0, 0), errors
    assert "done: " in output
    assert "done: " not in other_output
    assert json.loads((tmp_path / "two/run.json").read_text())["status"] == "done"
    # Few steps: each amplifies the rounding, and after 50 single values differ by 12 of 255.
    alone = {"optimizer__name": "lbfgs", "optimizer__steps": 20, "size": 64, "shallow": False}
    assert call(*tiny(tiny_weights, tmp_path / "alone", **alone)).returncode == 0
    two, one = (pixels(tmp_path / name / "result.png").astype(int) for name in ("two", "alone"))
    assert np.abs(two - one).max() <= 4
    assert np.abs(two - one).mean() < 0.255


@pytest.mark.slow
def test_a_signal_to_one_stops_both_and_the_run_goes_on_in_one_process(tiny_weights, tmp_path):
    folder = tmp_path / "run"
    processes = start_two(tiny_weights, folder, optimizer__steps=100_000, log_every=1)
    deadline = time.monotonic() + 200
    while not (folder / "metrics.jsonl").exists() or len(metrics(folder)) < 3:
        assert time.monotonic() < deadline
        assert processes[0].poll() is None, processes[0].communicate()
        time.sleep(0.2)
    processes[1].send_signal(signal.SIGTERM)
    results = ended(processes)
    assert [status for status, *_ in results] == [143, 143], results
    assert json.loads((folder / "run.json").read_text())["status"] == "interrupted"
    before = metrics(folder)[-1]["step"]

    again = {"optimizer__name": "lbfgs", "optimizer__steps": 100_001, "size": 64, "log_every": 1}
    single = subprocess.Popen(
        command(*tiny(tiny_weights, folder, **again, devices=1), "--resume"),
        cwd=ROOT,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
    )
    while metrics(folder)[-1]["step"] < before + 3:
        assert time.monotonic() < deadline + 100
        assert single.poll() is None, single.communicate()
        time.sleep(0.2)
    single.send_signal(signal.SIGTERM)
    single.communicate(timeout=100)
    assert single.returncode == 143
    steps = [line["step"] for line in metrics(folder)]
    assert steps == list(range(steps[-1] + 1))


@pytest.mark.slow
def test_what_one_refuses_ends_both(tiny_weights, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run/config.json").write_text("{}")
    (status, _, errors), (other, _, other_errors) = ended(start_two(tiny_weights, tmp_path / "run"))
    assert (status, other) == (2, 2)
    assert "already holds a run" in errors
    assert "another process cannot start" in other_errors


@pytest.mark.slow
def test_different_settings_are_refused_by_both(tiny_weights, tmp_path):
    processes = start_two(tiny_weights, tmp_path / "run", of_second=["--config.tv_weight=0.5"])
    for status, _, errors in ended(processes):
        assert status == 2, errors
        assert "differ between the processes" in errors
