"""Which image is the result of a run: the last one, or the best if the loss has grown."""

import re

import numpy as np
import pytest

from nst_jax.optimizers.state import State
from nst_jax.transfer.result import result_image
from tests.command import call, metrics, tiny


def states(value, best_value):
    """One lane; only what the choice depends on is real."""
    last, best = np.zeros((1, 1, 2, 2, 3)), np.ones((1, 1, 2, 2, 3))
    names = State._fields
    fields = {"value": np.array([value]), "best_value": np.array([best_value])}
    return State(**dict.fromkeys(names) | fields | {"variable": last, "best_variable": best})


@pytest.mark.parametrize(
    ("value", "status", "expected"),
    [(1.0, "done", "last"), (1.9, "done", "last"), (2.1, "done", "best"), (1.0, "interrupted", "best")],
)
def test_the_result_is_the_last_image_unless_the_loss_has_grown(value, status, expected):
    given = states(value, 1.0)
    image, which = result_image(given, np.asarray(given.variable), 0, status, "run")
    assert which == expected
    assert image.max() == (expected == "best")


@pytest.mark.parametrize("rate", [1e3, 1e30])
def test_adam_with_an_absurd_rate_keeps_the_best_picture_and_says_so(tiny_weights, tmp_path, rate):
    flags = tiny(tiny_weights, tmp_path / "run", optimizer__steps=8, optimizer__learning_rate=rate, size=32)
    result = call(*flags)
    assert result.returncode == 0, result.stderr
    # On its own line, although a progress bar is shown.
    assert re.search(r"[\r\n]WARNING: run: .* the result is the picture with the lowest loss", result.stderr)
    totals = [line["total"] for line in metrics(tmp_path / "run")]
    assert totals[-1] > 10 * totals[0]
