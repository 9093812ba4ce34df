"""Equal values have the same fingerprint in every process, and others do not."""

import enum
import functools
import json
import os
import subprocess
import sys
from fractions import Fraction
from typing import NamedTuple

import jax
import numpy as np
import pytest

from nst_jax.devices.fingerprint import UnknownError, fingerprint


def test_it_is_the_same_in_every_process():
    lists = []
    for seed in "12":
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        command = [sys.executable, "-m", "tests.devices.fingerprints"]
        done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True)
        lists.append(json.loads(done.stdout))
    assert lists[0] == lists[1]
    assert len({*lists[0]}) == len(lists[0]) > 50


def of_package(function):
    """`function`, as if the package had defined it."""
    function.__module__ = "nst_jax.toy"
    return function


def test_functions_depend_on_what_they_hold():
    def scaled(factor, shift=0.0):
        return of_package(lambda x, shift=shift: factor * x + shift)

    assert fingerprint(scaled(2)) == fingerprint(scaled(2))
    assert len({fingerprint(scaled(2)), fingerprint(scaled(3)), fingerprint(scaled(2, 1.0))}) == 3


def test_functions_of_one_line_differ():
    first, second, third = (of_package(one) for one in (lambda x: x + 1, lambda x: x + 2, lambda x: x - 1))
    assert len({fingerprint(first), fingerprint(second), fingerprint(third)}) == 3


def test_a_value_may_contain_itself():
    loops = []
    for end in (1, 1, 2):
        loop = [end]
        loop.append(loop)
        loops.append(fingerprint(loop))
    assert loops[0] == loops[1] != loops[2]


class Kind(enum.Enum):
    ONE = 1


class Pair(NamedTuple):
    first: int
    second: int


@pytest.mark.parametrize(
    "value",
    [
        *(lambda x: x, Kind.ONE, Pair(1, 2), Pair, Fraction(1, 2), object(), (1, {"a": object()})),
        *(np.array([object()]), jax.random.key(0), functools.partial(test_a_value_may_contain_itself)),
    ],
)
def test_what_another_module_defines_is_unknown(value):
    with pytest.raises(UnknownError):
        fingerprint(value)
