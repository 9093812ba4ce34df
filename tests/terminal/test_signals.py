"""Signals at awkward moments, in processes of their own."""

import subprocess
import sys
import time

import pytest

from tests.command import ROOT

PROGRAM = """
import os, signal, time
from nst_jax.terminal import ending

class Collected:
    def __del__(self):  # whatever is raised in here is not raised any further
        os.kill(os.getpid(), signal.{name})
        for _ in range(1000):
            pass

def main(argv):
    witness = Collected()
    del witness
    time.sleep(20)
    return 0

ending.run(main)
"""


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_signal_in_a_callback_ends_the_command_all_the_same(name):
    command = [sys.executable, "-c", PROGRAM.format(name=name)]
    began = time.monotonic()
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert time.monotonic() - began < 15, "the main program sleeps for 20 s, and is woken"
    assert ended.returncode == {"SIGINT": 130, "SIGTERM": 143}[name], ended.stderr
    assert "Traceback" not in ended.stderr
