"""Commands that keep their programs, as processes of their own."""

import numpy as np

from tests.command import call_process, metrics, pixels, tiny

CONFIG = """
from nst_jax.configs import gatys
from nst_jax.losses.terms.content import CONTENT_LOSSES

loss = CONTENT_LOSSES["sum"]
CONTENT_LOSSES["sum"] = lambda F, P, positions=None: {factor} * loss(F, P, positions)

def get_config():
    return gatys.get_config()
"""


def paint(flags, folder, cache):
    done = call_process(*flags, NST_JAX_CACHE=str(cache), JAX_LOG_COMPILES="1")
    assert done.returncode == 0, done.stderr
    return pixels(folder / "result.png"), [line["total"] for line in metrics(folder)], done.stderr


def test_the_second_command_traces_no_step_and_paints_the_same(tiny_weights, tmp_path):
    runs = []
    for name in "ab":
        flags = tiny(tiny_weights, tmp_path / name, optimizer__name="lbfgs", optimizer__steps=8)
        runs.append(paint(flags, tmp_path / name, tmp_path / "cache"))
    np.testing.assert_array_equal(runs[0][0], runs[1][0])
    assert runs[0][1] == runs[1][1]
    # JAX names what it traces; `kept` is the name of all programs that are kept.
    assert ["tracing kept" in errors for _, _, errors in runs] == [True, False]


def test_a_config_that_changes_a_loss_is_heeded(tiny_weights, tmp_path):
    first = []
    for factor in (1, 4, 1):
        (tmp_path / "mine.py").write_text(CONFIG.format(factor=factor))
        folder = tmp_path / f"run{len(first)}"
        _, *flags = tiny(tiny_weights, folder, optimizer__steps=2)
        config = f"--config={tmp_path / 'mine.py'}"
        first.append(paint([config, *flags], folder, tmp_path / "cache")[1][-1])
    assert first[0] == first[2] < first[1]
