"""Commands that keep their programs, as processes of their own."""

import numpy as np
import pytest

from tests.command import call_process, metrics, pixels, tiny

# Configs are programs, and could change any part of the package.
ENTRY = """
from nst_jax.configs import gatys
from nst_jax.losses.terms.content import CONTENT_LOSSES

loss = CONTENT_LOSSES["sum"]
CONTENT_LOSSES["sum"] = lambda F, P, positions=None: {factor} * loss(F, P, positions)
get_config = gatys.get_config
"""
FUNCTION = """
from nst_jax.configs import gatys
from nst_jax.losses.terms import content

total = content.weighted_sum
content.weighted_sum = lambda values, weights: {factor} * total(values, weights)
get_config = gatys.get_config
"""


def paint(flags, folder, cache):
    done = call_process(*flags, NST_JAX_CACHE=str(cache), JAX_LOG_COMPILES="1")
    assert done.returncode == 0, done.stderr
    return pixels(folder / "result.png"), [line["content"] for line in metrics(folder)], done.stderr


def test_the_second_command_traces_no_step_and_paints_the_same(tiny_weights, tmp_path):
    runs = []
    for name in "ab":
        flags = tiny(tiny_weights, tmp_path / name, optimizer__name="lbfgs", optimizer__steps=8)
        runs.append(paint(flags, tmp_path / name, tmp_path / "cache"))
    np.testing.assert_array_equal(runs[0][0], runs[1][0])
    assert runs[0][1] == runs[1][1]
    # JAX names what it traces; `kept` is the name of all programs that are kept.
    assert ["tracing kept" in errors for _, _, errors in runs] == [True, False]


@pytest.mark.parametrize(
    "config", [pytest.param(ENTRY, marks=pytest.mark.slow), FUNCTION], ids=["entry", "function"]
)
def test_a_config_that_changes_the_package_is_heeded(tiny_weights, tmp_path, config):
    losses = []
    for factor in (1, 4):
        (tmp_path / "mine.py").write_text(config.format(factor=factor))
        _, *flags = tiny(tiny_weights, tmp_path / f"run{factor}", optimizer__steps=2)
        flags = [f"--config={tmp_path / 'mine.py'}", *flags]
        losses.append(paint(flags, tmp_path / f"run{factor}", tmp_path / "cache")[1][0])
    assert losses[1] == pytest.approx(4 * losses[0], rel=1e-5)
